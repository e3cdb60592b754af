<?php
// A guest book: reads and writes a file of its own, keeps a session.
session_start();
$_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
$book = sys_get_temp_dir() . '/book.txt';
if (isset($_POST['entry'])) {
    file_put_contents($book, $_POST['entry'] . "\n", FILE_APPEND);
}
echo 'visit ', $_SESSION['visits'], "\n", @file_get_contents($book) ?: '';
