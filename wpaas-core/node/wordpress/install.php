<?php
// Makes the site's database this site's, then ends: `php install.php DOCUMENT_ROOT`. Writes a line a
// phase to descriptor 3, where there is one: `waiting`, `installing`, `serving ADMIN_VERSION WORDPRESS
// SCHEMA TABLES`. Can be run at any time, by any number of nodes at once: an installation is done by one
// of them, an admin's version is set once. Code of a release has to load before its node serves; a
// release that is tried (`trial=on`) has to do what a WordPress does: `probing …`, and where the settings
// ask for them `restoring …` and `upgrading …`, come before its `serving …`.
require __DIR__ . '/site.php';
require_once __DIR__ . '/cache.php';
$root = $argv[1];
require "$root/wp-includes/version.php";
$schema = (string) $wp_db_version;
$site = wpaas_settings();
// A node has one installer at a time: what its last one left half way it takes up at once.
$me = current(preg_grep('/^part=/', wpaas_lines('node.conf', false)));
$said = '';
$phases = @fopen('php://fd/3', 'w') ?: STDOUT;

function say(string $line): void {
	global $said, $phases;
	if ($line !== $said) {
		fwrite($phases, ($said = $line) . "\n");
	}
}

function exists(mysqli $database, string $table): bool {
	return $database->execute_query('SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?', [$table])->num_rows > 0;
}

/** Makes the WordPress that came with the image this site's, in the caller's transaction. */
function adopt(mysqli $database, array $site): void {
	$golden = 'http://golden.invalid';
	$database->execute_query('UPDATE wp_users SET user_login = ?, user_nicename = ?, display_name = ?, user_email = ?, user_url = ?, user_registered = UTC_TIMESTAMP() WHERE ID = 1',
		[$site['admin_user'], substr(strtolower(preg_replace('/[^A-Za-z0-9_-]+/', '-', $site['admin_user'])), 0, 50), $site['admin_user'], $site['admin_email'], $site['url']]);
	$database->execute_query("UPDATE wp_usermeta SET meta_value = ? WHERE user_id = 1 AND meta_key = 'nickname'", [$site['admin_user']]);
	$database->execute_query('UPDATE wp_posts SET post_date = NOW(), post_date_gmt = UTC_TIMESTAMP(), post_modified = NOW(), post_modified_gmt = UTC_TIMESTAMP(),
		guid = REPLACE(guid, ?, ?), post_content = REPLACE(post_content, ?, ?)', [$golden, $site['url'], $golden, $site['url']]);
	$database->execute_query('UPDATE wp_comments SET comment_date = NOW(), comment_date_gmt = UTC_TIMESTAMP()');
	$database->execute_query("UPDATE wp_options SET option_value = ? WHERE option_name = 'blogname'", [htmlspecialchars($site['title'], ENT_QUOTES)]); // as WordPress keeps it
	$database->execute_query("UPDATE wp_options SET option_value = ? WHERE option_name = 'admin_email'", [$site['admin_email']]);
}

/** Installs the WordPress of the tree in place of every table there is; what is left half way is begun again. */
function install(mysqli $database, array $site, string $root, string $me): void {
	$database->query("INSERT IGNORE INTO wpaas (name, value) VALUES ('golden', 'none')");
	foreach ($database->query('SHOW TABLES')->fetch_all() as [$table]) {
		if (!in_array($table, ['wpaas', 'wpaas_sessions'], true)) {
			$database->query("DROP TABLE `$table`");
		}
	}
	define('WP_INSTALLING', true);
	define('WP_DISABLE_FATAL_ERROR_HANDLER', true); // its page is not for this log
	register_shutdown_function(static function () use ($me) {
		if (empty($GLOBALS['wpaas_whole'])) {
			fwrite(STDERR, "the installation of WordPress did not come to its end\n");
			wpaas_database()->execute_query("UPDATE wpaas SET until = 0 WHERE name = 'install' AND holder = ?", [$me]);
			exit(1);
		}
	});
	function wp_mail() { return true; }
	function wp_new_blog_notification() {}
	foreach (['HTTP_HOST' => parse_url($site['url'], PHP_URL_HOST), 'REQUEST_URI' => '/', 'REQUEST_METHOD' => 'GET', 'SERVER_PROTOCOL' => 'HTTP/1.1', 'REMOTE_ADDR' => '127.0.0.1'] as $name => $value) {
		$_SERVER[$name] = $value;
	}
	pcntl_alarm(90); // which kills: code that hangs is no reason to wait for ever
	try {
		// WordPress expects its globals to be global.
		$GLOBALS['wpaas_root'] = $root;
		(static function () {
			foreach (array_keys($GLOBALS) as $name) { global $$name; }
			require $GLOBALS['wpaas_root'] . '/wp-load.php';
			require_once ABSPATH . 'wp-admin/includes/upgrade.php';
		})();
		add_filter('pre_http_request', fn() => new WP_Error('wpaas', 'no HTTP while installing'));
		wp_install($site['title'], $site['admin_user'], $site['admin_email'], true, '', bin2hex(random_bytes(16)));
		$GLOBALS['wp_rewrite']->set_permalink_structure('/%postname%/');
		update_option('rewrite_rules', '');
	} catch (mysqli_sql_exception $e) {
		throw $e;
	} catch (Throwable $e) {
		fwrite(STDERR, get_class($e) . ": {$e->getMessage()} in {$e->getFile()}:{$e->getLine()}\n");
		exit(1);
	}
	pcntl_alarm(0);
	$GLOBALS['wpaas_whole'] = true;
}

/** One attempt; false when another node is at it. */
function settle(mysqli $database, array $site, string $root, string $schema, string $me): bool {
	if (!exists($database, 'wpaas')) {
		$database->query('CREATE TABLE IF NOT EXISTS wpaas (name VARCHAR(32) PRIMARY KEY, value VARCHAR(255), holder VARCHAR(32), until BIGINT NOT NULL DEFAULT 0)');
	}
	if (!exists($database, 'wpaas_sessions')) {
		$database->query('CREATE TABLE IF NOT EXISTS wpaas_sessions (id CHAR(64) CHARACTER SET ascii PRIMARY KEY, data MEDIUMBLOB NOT NULL, until BIGINT NOT NULL, KEY (until))');
	}
	$is = $database->query('SELECT name, value FROM wpaas')->fetch_all(MYSQLI_ASSOC);
	$is = array_column($is, 'value', 'name');
	$owner = hash('sha256', 'owner ' . wpaas_secret('salt')); // which every site has its own of, and keeps
	if (($is['owner'] ?? $owner) !== $owner) {
		fwrite(STDERR, "this database is another site's: it was installed with another salt, and is left alone\n");
		exit(1);
	}
	if (!array_key_exists('installed', $is)) {
		if (!wpaas_lease($database, 'install', $me, 120)) {
			return false;
		}
		$foreign = !isset($is['golden']) && exists($database, 'wp_options'); // somebody's data: kept as it is
		if (!$foreign && ($is['golden'] ?? '') !== $schema) {
			install($database, $site, $root, $me);
		}
		$database->begin_transaction();
		if (($is['golden'] ?? '') === $schema) {
			adopt($database, $site);
		}
		$database->query("DELETE FROM wpaas WHERE name IN ('golden', 'install')");
		$database->execute_query("INSERT INTO wpaas (name, value) VALUES ('installed', UTC_TIMESTAMP()), ('admin_version', '0'), ('owner', ?)", [$owner]);
		$database->commit();
	}
	$database->execute_query("UPDATE wp_options SET option_value = ? WHERE option_name IN ('home', 'siteurl')", [rtrim($site['url'], '/')]);
	$database->begin_transaction();
	$database->execute_query("UPDATE wpaas SET value = ? WHERE name = 'admin_version' AND CAST(value AS UNSIGNED) < ?", [$site['admin_version'], (int) $site['admin_version']]);
	if ($database->affected_rows > 0) {
		$database->execute_query('UPDATE wp_users SET user_pass = ? WHERE user_login = ?', [wpaas_secret('admin-hash'), $site['admin_user']]);
	}
	$database->commit();
	return true;
}

/** Has PHP's pages begin to load (begin.php), beside what this does; without PHP there is nobody to ask yet. */
function begin(string $root): mixed {
	$php = @stream_socket_client('unix:///run/wpaas/php-lease.sock');
	if ($php) {
		// FastCGI: a request, who is to answer it, no more of that, and no body.
		$record = static fn(int $type, string $content) => pack('CCnnn', 1, $type, 1, strlen($content), 0) . $content;
		$asks = '';
		foreach (['SCRIPT_FILENAME' => __DIR__ . '/begin.php', 'REQUEST_METHOD' => 'GET', 'DOCUMENT_ROOT' => $root] as $name => $value) {
			$asks .= pack('CC', strlen($name), strlen($value)) . $name . $value;
		}
		fwrite($php, $record(1, pack('nCx5', 1, 0)) . $record(4, $asks) . $record(4, '') . $record(5, ''));
	}
	return $php;
}

say('waiting');
$pages = is_file('/run/wpaas/served'); // they are asked for at once, by the visitors themselves
for ($tries = 0;; usleep(30000)) {
	$pages = $pages ?: begin($root);
	try {
		$database = wpaas_database();
		say('installing');
		if (settle($database, $site, $root, $schema, $me)) {
			break;
		}
	} catch (mysqli_sql_exception $e) {
		// No server yet (its code is 2000 and up), no password yet, not ready, a deadlock with another node: tried again.
		if ($e->getCode() < 2000 && !in_array($e->getCode(), [1040, 1045, 1047, 1205, 1213, 1927, 4151]) && ++$tries > 5) {
			throw $e;
		}
	}
}

/** Has another PHP of the node do its part; ends with this if it fails. */
function must(array $command, string $why): void {
	$process = proc_open([PHP_BINARY, ...$command], [['file', '/dev/null', 'r'], STDERR, STDERR], $pipes);
	if (proc_close($process) !== 0) {
		fwrite(STDERR, "$why\n");
		exit(1);
	}
}

/** The `db_version` of the site's database. */
function tables(mysqli $database): string {
	return (string) (int) $database->query("SELECT option_value FROM wp_options WHERE option_name = 'db_version'")->fetch_column();
}

if (!is_dir("$root/wp-content/uploads/.wpaas/version")) {
	wpaas_new_version("$root/wp-content/uploads");
}
$version = $database->query("SELECT value FROM wpaas WHERE name = 'admin_version'")->fetch_column();
$about = static fn() => "$version $wp_version $schema " . tables($database);
if (($site['trial'] ?? '') === 'on') {
	if (($site['restore'] ?? '') !== '') {
		say('restoring ' . $about());
		must([__DIR__ . '/restore.php', $root, $site['restore'], $site['candidate']], 'so the database stays as it is');
	}
	say('probing ' . $about());
	must([__DIR__ . '/probe.php', $root], 'the release does not do what a WordPress does');
	if (($site['upgrade'] ?? '') === $schema && (int) tables($database) < (int) $schema) {
		say('upgrading ' . $about());
		must([__DIR__ . '/dump.php', $root, 'before-' . $site['candidate']], 'so the schema stays as it is');
		must([__DIR__ . '/upgrade.php', $root], "the database could not be made one of schema $schema");
		say('probing ' . $about());
		must([__DIR__ . '/probe.php', $root], "the release does not do what a WordPress does with schema $schema");
	}
} elseif ($site['layout'] !== 'stock') {
	must([__DIR__ . '/load.php', $root], "the release's code does not load within 60 seconds");
}
say('serving ' . $about());
