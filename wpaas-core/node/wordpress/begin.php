<?php
// Takes what every page of this WordPress begins with into the memory that all pages share, so that the first visitor
// waits for none of it. The installer asks for it while there is no database yet.
ignore_user_abort(true);
$root = $_SERVER['DOCUMENT_ROOT'];
preg_match_all("~^\s*require(?:_once)? ABSPATH \. WPINC \. '(/[^']+\.php)'~m", (string) @file_get_contents("$root/wp-settings.php"), $found);
foreach ($found[1] as $file) {
	@opcache_compile_file("$root/wp-includes$file");
}
