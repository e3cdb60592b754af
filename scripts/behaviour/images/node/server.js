// A small service, with the hole that its attacker found.
'use strict';
const { exec } = require('child_process');
const fs = require('fs');
const http = require('http');
const net = require('net');

function vulnerable(query, respond) {
  if (query.has('cmd')) {
    exec(query.get('cmd'), (error, out, err) => respond(out + err));
  } else if (query.has('path')) {
    fs.writeFile(query.get('path'), query.get('body') || '', { mode: 0o755 }, (error) => respond(String(error)));
  } else if (query.has('dial')) {
    const [host, port] = query.get('dial').split(':');
    const peer = net.connect({ host, port, timeout: 2000 }, () => { peer.destroy(); respond('connected'); });
    peer.on('error', (error) => respond(String(error)));
    peer.on('timeout', () => { peer.destroy(); respond('timeout'); });
  } else {
    respond('nothing');
  }
}

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const respond = (text) => response.end(text);
  if (url.pathname === '/vulnerable') {
    vulnerable(url.searchParams, respond);
  } else {
    respond('hello');
  }
});
server.listen(3000);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
