<?php
// The version of the site's content, which every node's nginx has in the keys of the pages it keeps: the
// target of a link on the volume that all nodes share, an empty folder of a name never used before. So a
// new version is in force on every node at once, also on one that could not be told. Whatever WordPress
// writes to its database makes a new one before the writer has an answer.

/** A new version of the content below $uploads. Should that fail, there is none, and no page is kept or served. */
function wpaas_new_version(string $uploads): void {
	$folder = "$uploads/.wpaas";
	$version = bin2hex(random_bytes(8));
	$made = (is_dir($folder) || @mkdir($folder)) && @mkdir("$folder/$version")
		&& @symlink($version, "$folder/$version.new") && @rename("$folder/$version.new", "$folder/version");
	if (!$made && @readlink("$folder/version") !== false && !@unlink("$folder/version")) {
		error_log("wpaas: $folder can't be written: visitors may see pages that are up to five minutes old");
	}
	// Those that were overtaken. Not the young: another writer is about to point at its own.
	foreach (@scandir($folder) ?: [] as $old) {
		if (strlen($old) === 16 && $old !== @readlink("$folder/version") && @filemtime("$folder/$old") < time() - 10) {
			@rmdir("$folder/$old");
		}
	}
}

/**
 * Whether a statement may change a page: all do but reads, and writes of what no page is to show: transients, the list of
 * cron's events, and who is logged in. Names are matched at an end of the statement, where no value can stand in for them.
 */
function wpaas_changes(string $query): bool {
	$query = trim($query);
	if (preg_match('/^[\s(]*(SELECT|SHOW|DESC|DESCRIBE|EXPLAIN|SET|USE|START|BEGIN|ROLLBACK|SAVEPOINT)\b/i', $query)) {
		return false;
	}
	$option = '\'(?:_transient_|_site_transient_|cron\')';
	$whole = '\'(?:(?:_transient_|_site_transient_)[^\'\\\\]*|cron)\'';
	return !preg_match("/^INSERT INTO `wp_(?:\d+_)?options` \(`option_name`, `option_value`, `autoload`\) VALUES \($option/", $query)
		&& !preg_match("/^(?:UPDATE|DELETE FROM) `wp_(?:\d+_)?options` .*WHERE `option_name` = $whole$/s", $query)
		&& !preg_match('/^INSERT INTO `wp_usermeta` \(`user_id`, `meta_key`, `meta_value`\) VALUES \(\d+, \'session_tokens\',/', $query)
		&& !preg_match('/^(?:UPDATE|DELETE FROM) `wp_usermeta` .*WHERE `user_id` = \d+ AND `meta_key` = \'session_tokens\'$/s', $query);
}

/** Watches what WordPress asks its database, from before WordPress is loaded. */
function wpaas_watch_content(string $uploads): void {
	$changed = false;
	$settle = static function () use (&$changed, $uploads) {
		if ($changed) {
			$changed = false;
			wpaas_new_version($uploads);
		}
	};
	$GLOBALS['wp_filter']['query'][PHP_INT_MAX]['wpaas'] = [
		'accepted_args' => 1,
		'function' => static function ($query) use (&$changed) {
			$changed = $changed || wpaas_changes((string) $query);
			return $query;
		},
	];
	header_register_callback(static function () use ($settle) {
		if (defined('DONOTCACHEPAGE') && DONOTCACHEPAGE) {
			header('X-Accel-Expires: 0');
		}
		$settle();
	});
	// After all that others do at the end.
	register_shutdown_function(static fn() => register_shutdown_function($settle));
}
