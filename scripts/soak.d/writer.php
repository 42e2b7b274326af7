<?php
// Writes to the site's database through its gateway, a connection an insert as WordPress opens one a request, from the
// number after the given one on, until its standard input ends. Says `ack NUMBER NODE` or `error TEXT`.
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$password = strtok(file_get_contents('/etc/wpaas/secrets/database-password'), "\n");
stream_set_blocking(STDIN, false);
for ($n = 1 + (int) $argv[1], $made = false; !feof(STDIN); $n++, fread(STDIN, 1), usleep(20000)) {
    try {
        $db = mysqli_init();
        $db->options(MYSQLI_OPT_CONNECT_TIMEOUT, 2);
        $db->options(MYSQLI_OPT_READ_TIMEOUT, 20);
        $db->real_connect('gateway-0', 'wordpress', $password, 'wordpress');
        if (!$made) $db->query('CREATE TABLE IF NOT EXISTS proof (n BIGINT PRIMARY KEY) ENGINE=InnoDB');
        $made = true;
        $node = $db->query('SELECT @@wsrep_node_name')->fetch_row()[0];
        $db->query("INSERT INTO proof VALUES ($n)");
        echo "ack $n $node\n";
        $db->close();
    } catch (Throwable $error) {
        echo 'error ', strtr($error->getMessage(), "\n", ' '), "\n";
        usleep(80000);
    }
}
