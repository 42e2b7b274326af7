<?php
// Takes a dump of the site's database as it is at one moment, while others go on writing: `php dump.php
// DOCUMENT_ROOT NAME [DATABASE]`. It is kept beside the uploads, `.wpaas/NAME.sql.gz`, which the web server shows
// nobody, and has every table but the nodes' own. A dump of that name that is there already stays, unless another
// database is named, which nobody writes to any more: its dump takes the place. Of older ones the last five stay.
require __DIR__ . '/site.php';
[, $root, $name] = $argv;
$folder = "$root/wp-content/uploads/.wpaas";
$file = "$folder/$name.sql.gz";
if (!isset($argv[3]) && is_file($file)) {
	exit(0);
}
umask(0077);
is_dir($folder) || mkdir($folder);
$options = wpaas_client_options();
$command = ['mariadb-dump', "--defaults-file=$options", '--single-transaction', '--quick', '--skip-lock-tables', '--no-tablespaces',
	'--ignore-table=wordpress.wpaas', '--ignore-table=wordpress.wpaas_sessions', $argv[3] ?? 'wordpress'];
$dump = proc_open($command, [['file', '/dev/null', 'r'], ['pipe', 'w'], STDERR], $pipes);
$kept = gzopen("$file.new", 'wb6');
$whole = $dump && $kept;
while ($whole && ($piece = fread($pipes[1], 1 << 16)) !== false && $piece !== '') {
	$whole = gzwrite($kept, $piece) === strlen($piece);
}
$whole = $kept && gzclose($kept) && $whole;
$whole = $dump && proc_close($dump) === 0 && $whole;
unlink($options);
if (!$whole || !rename("$file.new", $file)) {
	fwrite(STDERR, "the database could not be dumped to $file\n");
	exit(1);
}
$kept = glob("$folder/*.sql.gz");
usort($kept, static fn(string $a, string $b) => filemtime($b) <=> filemtime($a));
array_map(unlink(...), array_slice($kept, 5));
fwrite(STDERR, "a dump of the database is kept in $file\n");
