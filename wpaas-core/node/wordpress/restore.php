<?php
// Makes the site's database what it was before a release changed its schema: `php restore.php DOCUMENT_ROOT
// RELEASE CANDIDATE`, by the dump that was taken then. What is in it now is kept in a dump of its own first.
// The tables change places all at once, so that nobody sees half of either; one of them says for which
// candidate that was, so it is done once however often it is asked for. What was written until that moment is
// then in the tables that are aside, where nobody writes any more: the dump is taken of them again before they go.
require __DIR__ . '/site.php';
require_once __DIR__ . '/cache.php';
[, $root, $release, $candidate] = $argv;
$uploads = "$root/wp-content/uploads";
$file = "$uploads/.wpaas/before-$release.sql.gz";
$mark = "wpaas_restored_$candidate";
$database = wpaas_database();
$database->query('SET SESSION wsrep_sync_wait = 1'); // the node that is asked now may be behind the one asked before

/** The names of a database's tables, quoted. */
function tables(mysqli $database, string $of): array {
	$found = $database->execute_query("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_TYPE = 'BASE TABLE'", [$of]);
	return array_column($found->fetch_all(), 0);
}

function quoted(string $table): string {
	return '`' . str_replace('`', '``', $table) . '`';
}

function fail(string $why): never {
	fwrite(STDERR, "$why\n");
	exit(1);
}

/** What was there until a restore, this one or one that was cut off, is in that one's dump; then nothing is left aside. */
function clear(mysqli $database, string $root): void {
	if (tables($database, 'wordpress_old') !== []) {
		$mark = current(preg_grep('/^wpaas_restored_/', tables($database, 'wordpress')));
		keep($root, substr($mark, strlen('wpaas_restored_')), 'wordpress_old');
	}
	foreach (['wordpress_new', 'wordpress_old'] as $aside) {
		$database->query("DROP DATABASE IF EXISTS $aside");
	}
}

function keep(string $root, string $candidate, string ...$of): void {
	$dump = proc_open([PHP_BINARY, __DIR__ . '/dump.php', $root, "before-$candidate", ...$of], [['file', '/dev/null', 'r'], STDERR, STDERR], $pipes);
	proc_close($dump) === 0 || exit(1);
}

clear($database, $root);
if (in_array($mark, tables($database, 'wordpress'), true)) {
	exit(0);
}
@touch($file) || fail('the dump that was taken before the schema was changed is not kept any more: roll back without the database');
keep($root, $candidate); // while nothing has changed yet, should there be no room for it
foreach (['wordpress_new', 'wordpress_old'] as $aside) {
	$database->query("CREATE DATABASE $aside CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci");
}
$options = wpaas_client_options();
$load = proc_open(['mariadb', "--defaults-file=$options", 'wordpress_new'], [['pipe', 'r'], STDERR, STDERR], $pipes);
$from = gzopen($file, 'rb');
$whole = $load && $from;
while ($whole && !gzeof($from)) {
	$piece = gzread($from, 1 << 16);
	$whole = $piece !== false && fwrite($pipes[0], $piece) === strlen($piece);
}
$load && fclose($pipes[0]);
$whole = $load && proc_close($load) === 0 && $whole;
unlink($options);
$whole || fail("the dump $file could not be read back");
foreach (preg_grep('/^wpaas_restored_/', tables($database, 'wordpress_new')) as $earlier) {
	$database->query('DROP TABLE wordpress_new.' . quoted($earlier));
}
$database->query('CREATE TABLE wordpress_new.' . quoted($mark) . ' (id INT PRIMARY KEY)');
$moves = [];
foreach (array_diff(tables($database, 'wordpress'), ['wpaas', 'wpaas_sessions']) as $table) {
	$moves[] = 'wordpress.' . quoted($table) . ' TO wordpress_old.' . quoted($table);
}
foreach (tables($database, 'wordpress_new') as $table) {
	$moves[] = 'wordpress_new.' . quoted($table) . ' TO wordpress.' . quoted($table);
}
$database->query('RENAME TABLE ' . implode(', ', $moves));
wpaas_new_version($uploads);
clear($database, $root);
fwrite(STDERR, "the database is what it was in $file; what it was until now is in before-$candidate.sql.gz beside it\n");
