<?php
// At image build: compiles every file that a page of the stock WordPress may include. Files that run
// when they are included can't be harmed by this: compiling is not running. sessions.php is compiled as it
// comes before this very script.
set_time_limit(600);
ini_set('memory_limit', '-1');
$good = $bad = 0;
foreach (['/srv/wordpress', '/usr/local/lib/wpaas'] as $root) {
	foreach (new RecursiveIteratorIterator(new RecursiveDirectoryIterator($root, FilesystemIterator::SKIP_DOTS)) as $file) {
		if ($file->getExtension() === 'php' && !in_array($file->getBasename(), ['noop.php', 'sessions.php'], true)) {
			@opcache_compile_file($file->getPathname()) ? $good++ : $bad++;
		}
	}
}
echo "compiled $good, failed $bad";
