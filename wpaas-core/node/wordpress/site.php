<?php
// What the node's own PHP shares: its settings, its secrets, the site's database, and the leases in
// it. The table `wpaas` (name, value, holder, until) is the nodes' own: `golden` or `installed`,
// `admin_version`, `owner` (by whose salt it was installed), and the leases `install` and `cron`.

/** The lines of a file, waited for while it is being replaced. */
function wpaas_lines(string $file, bool $ends): array {
	for ($tries = 0; $tries < 50; $tries++, usleep(20000)) {
		$lines = @file("/etc/wpaas/$file", FILE_IGNORE_NEW_LINES) ?: [''];
		if ($ends ? end($lines) === 'end' : $lines[0] !== '') {
			return $lines;
		}
	}
	throw new RuntimeException("/etc/wpaas/$file is not whole");
}

function wpaas_settings(): array {
	$settings = [];
	foreach (wpaas_lines('wordpress.conf', true) as $line) {
		[$key, $value] = explode('=', $line, 2) + [1 => ''];
		$settings[$key] = $value;
	}
	return $settings;
}

function wpaas_secret(string $name): string {
	return rtrim(wpaas_lines("secrets/$name", false)[0], "\r\n");
}

/** A connection of its own; throws mysqli_sql_exception. */
function wpaas_database(): mysqli {
	mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
	$database = mysqli_init();
	$database->options(MYSQLI_OPT_CONNECT_TIMEOUT, 2);
	$database->options(MYSQLI_OPT_READ_TIMEOUT, 30);
	@$database->real_connect('gateway-0', 'wordpress', wpaas_secret('database-password'), 'wordpress', 3306);
	$database->set_charset('utf8mb4');
	return $database;
}

/** A file with what MariaDB's own programs need to connect; whoever asks for it removes it. */
function wpaas_client_options(): string {
	$options = tempnam('/tmp', 'client'); // of mode 0600
	file_put_contents($options, "[client]\nhost=gateway-0\nport=3306\nuser=wordpress\npassword=" . wpaas_secret('database-password') . "\nskip-ssl\n");
	return $options;
}

/**
 * Whether $holder has the lease $name, for at least half of $seconds to come. One statement takes or
 * renews it, by the database's clock, so of two nodes that ask at once one is told no.
 */
function wpaas_lease(mysqli $database, string $name, string $holder, int $seconds): bool {
	$row = $database->execute_query('SELECT holder, until - UNIX_TIMESTAMP() AS `left` FROM wpaas WHERE name = ?', [$name])->fetch_assoc();
	if ($row && $row['left'] > ($row['holder'] === $holder ? $seconds / 2 : 0)) {
		return $row['holder'] === $holder;
	}
	$database->execute_query('INSERT INTO wpaas (name, holder, until) VALUES (?, ?, UNIX_TIMESTAMP() + ?)
		ON DUPLICATE KEY UPDATE holder = IF(until <= UNIX_TIMESTAMP(), VALUES(holder), holder),
			until = IF(holder = VALUES(holder), VALUES(until), until)', [$name, $holder, $seconds]);
	return $holder === $database->execute_query('SELECT holder FROM wpaas WHERE name = ?', [$name])->fetch_column();
}
