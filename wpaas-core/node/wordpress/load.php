<?php
// Loads a release's WordPress as a page does, with its plugins and its theme, and ends: `php load.php
// DOCUMENT_ROOT [FILE]`. What keeps every page from being made is said on standard error, and the code is
// not 0. With FILE it also writes to the database and reads it back, and leaves there, as JSON, what a
// visitor would look for: the title as it is shown, and where one logs in and asks the REST API.
require __DIR__ . '/site.php';
ini_set('display_errors', '0');
ini_set('log_errors', '1');
define('WP_DISABLE_FATAL_ERROR_HANDLER', true); // its page is not for a log
define('WP_USE_THEMES', false);
$wpaas_loaded = false;
pcntl_alarm(60); // which kills
register_shutdown_function(static function () {
	if (!$GLOBALS['wpaas_loaded']) {
		exit(1);
	}
});
$_SERVER['HTTP_HOST'] = parse_url(wpaas_settings()['url'], PHP_URL_HOST);
foreach (['REQUEST_URI' => '/', 'REQUEST_METHOD' => 'GET', 'SERVER_PROTOCOL' => 'HTTP/1.1', 'REMOTE_ADDR' => '127.0.0.1'] as $name => $value) {
	$_SERVER[$name] = $value;
}
ob_start(static fn() => '');
try {
	require $argv[1] . '/wp-load.php';
	if (isset($argv[2])) {
		$name = 'wpaas_probe_' . bin2hex(random_bytes(8));
		$wrote = $wpdb->insert($wpdb->options, ['option_name' => $name, 'option_value' => $name, 'autoload' => 'off']);
		$read = $wpdb->get_var($wpdb->prepare("SELECT option_value FROM $wpdb->options WHERE option_name = %s", $name));
		if (!$wrote || $read !== $name || !$wpdb->delete($wpdb->options, ['option_name' => $name])) {
			throw new RuntimeException("the database does not keep what WordPress writes: $wpdb->last_error");
		}
		$facts = ['title' => get_bloginfo('name', 'display'), 'login' => wp_login_url(), 'rest' => rest_url()];
		file_put_contents($argv[2], json_encode($facts, JSON_THROW_ON_ERROR));
	}
	$wpaas_loaded = true;
} catch (Throwable $e) {
	fwrite(STDERR, get_class($e) . ": {$e->getMessage()} in {$e->getFile()}:{$e->getLine()}\n");
}
