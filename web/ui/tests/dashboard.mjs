// Uses the dashboard as a person would, in a real Chromium, against a running server that holds real scans and alerts.
//
//   BASE_URL=http://127.0.0.1:8080 PASSWORD=… [SCREENSHOTS=folder] node --test tests/dashboard.mjs
//
// PASSWORD is the one-time password that the server printed, or, with IS_ONE_TIME=false, the admin's own.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

const base = process.env.BASE_URL;
const screenshots = process.env.SCREENSHOTS;
const OWN_PASSWORD = 'a ship lies no deeper than this';
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
assert.ok(base && process.env.PASSWORD, 'BASE_URL and PASSWORD say which server to use');
const isOneTime = process.env.IS_ONE_TIME !== 'false';

let browser;
let context;
let page;
const complaints = [];

before(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGUMENTS });
  context = await browser.newContext({ viewport: { width: 1360, height: 900 }, colorScheme: 'light' });
  await context.grantPermissions(['clipboard-write'], { origin: base });
  page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on('pageerror', (error) => complaints.push(error.message));
  // A broken content security policy shows only in the console; a 401 is how the page learns that nobody is logged in.
  page.on('console', (line) => {
    if (line.type() === 'error' && !line.text().includes('401')) complaints.push(line.text());
  });
});

after(async () => {
  await browser?.close();
});

async function logIn(name, password) {
  await page.fill('input[name=name]', name);
  await page.fill('input[name=password]', password);
  await page.click('button[type=submit]');
}

test('a wrong password is refused and says so', async () => {
  await page.goto(base);
  await logIn('admin', 'not the password');
  await page.getByRole('alert').waitFor();
  assert.equal(await page.locator('nav[aria-label=Main]').count(), 0, 'nobody is logged in');
});

test('the one-time password has to be changed before anything is shown', { skip: !isOneTime }, async () => {
  await logIn('admin', process.env.PASSWORD);
  await page.getByText('Choose your own password').waitFor();
  await page.fill('input[name=current]', process.env.PASSWORD);
  await page.fill('input[name=new]', OWN_PASSWORD);
  await page.fill('input[name=repeated]', OWN_PASSWORD);
  await page.click('button[type=submit]');
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
});

test('the admin logs in with a password of their own', { skip: isOneTime }, async () => {
  await logIn('admin', process.env.PASSWORD);
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
});

test('an alert is followed from the overview to its cause', async () => {
  await page.getByText('Live', { exact: true }).waitFor();
  await page.getByRole('link', { name: 'Alerts', exact: true }).click();
  const shell = page.locator('tr', { hasText: 'redis-server started' }).first();
  await shell.getByRole('link').first().click();
  await page.getByRole('heading', { name: /redis-server started/ }).waitFor();
  const text = await page.locator('main').innerText();
  for (const part of ['Observed', 'Expected', 'redis-server starts nothing while serving', 'phase: serving', 'Ancestry', 'Executable']) {
    assert.ok(text.includes(part), `the alert's page shows “${part}”`);
  }
  const condition = page.locator('details summary').first();
  if (await condition.count()) await condition.click();
});

test('the alert leads to its image, with vulnerabilities and a profile that names its evidence', async () => {
  await page.locator('dd a[href^="/images/sha256:"]').first().click();
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.locator('td code', { hasText: 'CVE-' }).first().waitFor();
  await page.getByRole('link', { name: /Expected behaviour/ }).click();
  const port = page.locator('tr', { hasText: 'tcp/6379' }).first();
  await port.waitFor();
  assert.match(await port.innerText(), /EXPOSE 6379\/tcp/);
  await page.getByRole('link', { name: /Packages/ }).click();
  await page.fill('input[type=search]', 'redis-server');
  await page.locator('td', { hasText: /^redis-server$/ }).waitFor();
});

test('an alert is acknowledged with a comment, and opened again', async () => {
  await page.goto(`${base}/alerts?acknowledged=false`);
  await page.locator('tbody a').first().click();
  await page.fill('textarea', 'a drill');
  await page.getByRole('button', { name: 'Acknowledge' }).click();
  await page.getByText('Acknowledged by').waitFor();
  assert.ok(await page.getByText('a drill').isVisible());
  await page.getByRole('button', { name: 'Reopen' }).click();
  await page.getByRole('button', { name: 'Acknowledge' }).waitFor();
});

test('every screen opens in both themes without a complaint', async () => {
  const images = await page.evaluate(async () => (await (await fetch('/api/v1/images')).json()).rows);
  const alerts = await page.evaluate(async () => (await (await fetch('/api/v1/alerts')).json()).rows);
  const screens = {
    overview: '/?hours=1',
    alerts: '/alerts',
    alert: `/alerts/${alerts.find((alert) => alert.summary.startsWith('redis-server started'))?.id}`,
    images: '/images',
    image: `/images/${images[0].config_digest}`,
    profile: `/images/${images[0].config_digest}?tab=profile`,
    workloads: '/workloads',
    admission: '/admission',
    agents: '/agents',
    settings: '/settings?tab=waivers',
  };
  if (screenshots) mkdirSync(screenshots, { recursive: true });
  for (const theme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: theme });
    for (const [name, path] of Object.entries(screens)) {
      await page.goto(base + path);
      await page.locator('main h1').first().waitFor();
      await page.getByText('Loading…').first().waitFor({ state: 'detached' });
      assert.equal(await page.locator('[role=alert]').count(), 0, `${name} shows no error`);
      if (screenshots) await page.screenshot({ path: join(screenshots, `${name}-${theme}.png`) });
    }
  }
});

test('names that a container controls are shown as text', async () => {
  const hostile = '<img src=x onerror="document.title=\'owned\'">';
  await page.goto(`${base}/alerts?text=${encodeURIComponent(hostile)}`);
  await page.getByText('No alert matches').waitFor();
  assert.equal(await page.locator('main img').count(), 0);
  assert.notEqual(await page.title(), 'owned');
});

test('nothing went wrong in the console on the way', () => {
  assert.deepEqual(complaints, []);
});
