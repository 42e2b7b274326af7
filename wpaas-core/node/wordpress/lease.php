<?php
// Answers this node's cron runner, `?holder=BOOT`: `due` when it holds the lease of the site's cron
// and an event's time has come, else `idle`. A holder that dies is succeeded within 45 seconds.
require __DIR__ . '/site.php';
header('Content-Type: text/plain');
$database = wpaas_database();
if (wpaas_lease($database, 'cron', $_GET['holder'], 35)) {
	$events = $database->query("SELECT option_value FROM wp_options WHERE option_name = 'cron'")->fetch_column();
	$times = array_filter(array_keys((array) @unserialize((string) $events, ['allowed_classes' => false])), 'is_int');
	if ($times && min($times) <= time()) {
		exit('due');
	}
}
echo 'idle';
