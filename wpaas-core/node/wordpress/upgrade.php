<?php
// Makes the site's database one of the schema of the WordPress at DOCUMENT_ROOT, as its own page for that
// does: `php upgrade.php DOCUMENT_ROOT`. Nothing happens to one that is of that schema already. A dump is
// taken before (dump.php).
require __DIR__ . '/site.php';
ini_set('display_errors', '0');
ini_set('log_errors', '1');
define('WP_INSTALLING', true);
define('WP_DISABLE_FATAL_ERROR_HANDLER', true); // its page is not for a log
$wpaas_done = false;
register_shutdown_function(static function () {
	if (!$GLOBALS['wpaas_done']) {
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
	require_once ABSPATH . 'wp-admin/includes/upgrade.php';
	add_filter('pre_http_request', fn() => new WP_Error('wpaas', 'no HTTP while upgrading'));
	wp_upgrade();
	$wpaas_done = (int) get_option('db_version') === (int) $wp_db_version;
} catch (Throwable $e) {
	fwrite(STDERR, get_class($e) . ": {$e->getMessage()} in {$e->getFile()}:{$e->getLine()}\n");
}
