<?php
// Finds out whether a release does what a WordPress does, as a visitor and an editor would see it, on the
// node itself: `php probe.php DOCUMENT_ROOT`. Its code loads and the database keeps what it writes
// (load.php); the front page shows the site's title; the login page asks for a password; the REST API
// answers. What is wrong is said on standard error, and the code is not 0. `php probe.php DOCUMENT_ROOT front`
// looks at the front page alone, on a node that serves, as no cache has it.
require __DIR__ . '/site.php';

$watches = ($argv[2] ?? '') === 'front';
define('PORT', $watches ? 80 : 82);

function fail(string $why): never {
	fwrite(STDERR, "$why\n");
	exit(1);
}

/** What the node's web server answers to this URL, after at most five redirects: its page. */
function page(string $what, string $url, array $good = [200]): string {
	for ($hops = 0; $hops <= 5; $hops++) {
		$parts = parse_url($url);
		$host = $parts['host'] . (isset($parts['port']) ? ":{$parts['port']}" : '');
		$path = ($parts['path'] ?? '/') . (isset($parts['query']) ? "?{$parts['query']}" : '');
		$http = [
			'header' => ["Host: $host", "X-Forwarded-Proto: {$parts['scheme']}", 'User-Agent: wpaas-probe', 'Connection: close'],
			'follow_location' => 0,
			'ignore_errors' => true,
			'timeout' => 30,
		];
		$page = @file_get_contents('http://127.0.0.1:' . PORT . $path, false, stream_context_create(['http' => $http]));
		$answer = http_get_last_response_headers() ?? [];
		$status = (int) (explode(' ', $answer[0] ?? '')[1] ?? 0);
		$to = current(preg_grep('/^Location:/i', $answer));
		if ($page === false || $status === 0) {
			fail("$what does not answer within 30 seconds ($url)");
		}
		if ($status < 300 || $status >= 400 || !$to) {
			in_array($status, $good, true) || fail("$what answers $status ($url): " . plain($page));
			return $page;
		}
		$to = trim(substr($to, strlen('Location:')));
		$url = preg_match('#^https?://#i', $to) ? $to : "{$parts['scheme']}://$host/" . ltrim($to, '/');
	}
	fail("$what leads round in circles ($url)");
}

/** The beginning of what a page says, for people. */
function plain(string $page): string {
	$text = strip_tags(preg_replace('#<(style|script|head)\b.*?</\1>#is', ' ', $page) ?? $page);
	return substr(trim(preg_replace('/\s+/', ' ', $text) ?? ''), 0, 200);
}

/** Text as it can be compared: without entities, and with every gap one space. */
function comparable(string $html): string {
	$text = html_entity_decode(html_entity_decode($html, ENT_QUOTES | ENT_HTML5), ENT_QUOTES | ENT_HTML5);
	return trim(preg_replace('/\s+/u', ' ', $text) ?? $text);
}

/** The front page with the site's title on it. */
function front(string $title, string $question = ''): string {
	$front = page('the front page', rtrim(wpaas_settings()['url'], '/') . "/$question");
	$title = comparable($title);
	if ($title !== '' && !str_contains(comparable($front), $title)) {
		fail("the front page does not show the site's title, but: " . plain($front));
	}
	if (str_contains($front, 'wp-die-message')) {
		fail('the front page breaks off: ' . plain($front));
	}
	return $front;
}

if ($watches) {
	try {
		$title = wpaas_database()->query("SELECT option_value FROM wp_options WHERE option_name = 'blogname'")->fetch_column();
	} catch (mysqli_sql_exception) {
		exit(0); // that is told by the database's nodes
	}
	front((string) $title, '?wpaas-watch=1');
	exit(0);
}

/** Waits for nginx, which is started for this. */
for ($tries = 0; !($socket = @fsockopen('127.0.0.1', 82)); usleep(20000)) {
	$tries++ < 250 || fail('the web server does not start');
}
fclose($socket);
$facts = tempnam('/tmp', 'probe');
$load = proc_open([PHP_BINARY, __DIR__ . '/load.php', $argv[1], $facts], [['file', '/dev/null', 'r'], STDERR, STDERR], $pipes);
$loaded = proc_close($load) === 0;
$is = json_decode((string) file_get_contents($facts), true);
unlink($facts);
if (!$loaded || !is_array($is)) {
	fail('its code does not load within 60 seconds');
}
front($is['title']);
if (!preg_match('/type\s*=\s*["\']?password/i', page('the login page', $is['login']))) {
	fail('the login page asks for no password');
}
// Who is not signed in may be refused, but in the API's own words.
if (!is_array(json_decode(page('the REST API', $is['rest'], [200, 401, 403]), true))) {
	fail('the REST API answers no JSON');
}
