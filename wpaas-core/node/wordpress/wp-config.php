<?php
// WordPress's configuration on every node, from the node's files: no password is in an environment
// or on a command line. The site's home is the authority of the request, which the gateway has
// checked; without a request it is the canonical URL.
require_once '/usr/local/lib/wpaas/site.php';
$wpaas = wpaas_settings();

define('DB_HOST', 'gateway-0:3306');
define('DB_NAME', 'wordpress');
define('DB_USER', 'wordpress');
define('DB_PASSWORD', wpaas_secret('database-password'));
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
$table_prefix = 'wp_';

$wpaas['salt'] = wpaas_secret('salt');
foreach (['AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY', 'AUTH_SALT', 'SECURE_AUTH_SALT', 'LOGGED_IN_SALT', 'NONCE_SALT'] as $wpaas['key']) {
	define($wpaas['key'], hash_hmac('sha256', $wpaas['key'], $wpaas['salt']));
}

$wpaas['home'] = rtrim($wpaas['url'], '/');
if (PHP_SAPI !== 'cli' && preg_match('/^[a-z0-9.\-\[\]:]+$/', $_SERVER['HTTP_HOST'] ?? '')) {
	if (($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '') === 'https') {
		$_SERVER['HTTPS'] = 'on';
	}
	$wpaas['home'] = (empty($_SERVER['HTTPS']) ? 'http://' : 'https://') . $_SERVER['HTTP_HOST'];
}
define('WP_HOME', $wpaas['home']);
define('WP_SITEURL', $wpaas['home']);
unset($wpaas);

// Code changes by a release alone, and the node runs what is due (cron.sh), not a page load.
define('DISALLOW_FILE_MODS', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('WP_AUTO_UPDATE_CORE', false);
define('DISABLE_WP_CRON', true);
define('WP_DEBUG', false);

// As nothing can be updated or installed, no page and no job waits for api.wordpress.org to say so.
$wp_filter['pre_http_request'][0]['wpaas'] = [
	'accepted_args' => 3,
	'function' => static fn($answer, $arguments, $url) => parse_url($url, PHP_URL_HOST) === 'api.wordpress.org'
		? new WP_Error('wpaas', 'The code of this site changes by a release alone.') : $answer,
];

if (!defined('ABSPATH')) {
	define('ABSPATH', __DIR__ . '/wordpress/');
}
require_once '/usr/local/lib/wpaas/cache.php';
wpaas_watch_content(ABSPATH . 'wp-content/uploads');
require_once ABSPATH . 'wp-settings.php';
