// Runs cases.json with a driver of Node.js, for test/drivers/run: node drivers.js DRIVER
'use strict';
const fs = require('fs');
const path = require('path');

const cases = JSON.parse(fs.readFileSync(path.join(__dirname, 'cases.json')));
const name = process.argv[2];

// What a case says of a value, as an application would pass it
function value(v) {
  if (Array.isArray(v)) return v.map(value);
  if (v === null || typeof v !== 'object') return v;
  if (v.interval !== undefined) return `${v.interval} seconds`;
  return v.uuid !== undefined ? v.uuid : v.big;
}

const plain = (v) => (Array.isArray(v) ? v.map(plain) : v === null || typeof v === 'boolean' ? v : String(v));
const sqlOf = (sql) => sql.replace(/\{(\d)\}/g, (_, n) => `$${Number(n) + 1}`);

async function nodePg() {
  const { Client } = require('pg');
  const client = new Client();
  await client.connect();
  return {
    run: async (sql, values) => (await client.query({ text: sqlOf(sql), values, rowMode: 'array' })).rows,
    // Resolves when another connection has written
    notified: async () => {
      const told = new Promise((resolve) => client.once('notification', resolve));
      await client.query('LISTEN modseq');
      const other = new Client();
      await other.connect();
      await other.query('INSERT INTO mail (mailbox_id) VALUES (3)');
      await other.end();
      return (await told).channel === 'modseq';
    },
    end: () => client.end(),
  };
}

async function postgresJs() {
  const postgres = require('postgres');
  const sql = postgres({ max: 1, host: process.env.PGHOST, onnotice: () => {} });
  return {
    run: async (text, values) => [...await sql.unsafe(sqlOf(text), values).values()],
    notified: async () => {
      let tell;
      const told = new Promise((resolve) => { tell = resolve; });
      const listening = await sql.listen('modseq', tell);
      await sql.unsafe('INSERT INTO mail (mailbox_id) VALUES (3)');
      await told;
      await listening.unlisten();
      return true;
    },
    end: () => sql.end(),
  };
}

async function main() {
  const driver = await { 'node-pg': nodePg, 'postgres.js': postgresJs }[name]();
  let failed = false;
  const report = (what, right, got) => {
    console.log(`drivers ${name}: ${what} ... ${right ? 'ok' : 'FAILED'}`);
    if (!right) console.log('    ', got);
    failed = failed || !right;
  };
  for (const c of cases) {
    if (c.only && !c.only.includes(name)) continue;
    try {
      const rows = plain(await driver.run(c.sql, c.values.map(value)));
      report(c.what, JSON.stringify(rows) === JSON.stringify(c.rows), JSON.stringify(rows));
    } catch (error) {
      report(c.what, c.error !== undefined && error.message.includes(c.error) && error.code === c.state, error);
    }
  }
  report('notifications', await driver.notified(), null);
  await driver.end();
  process.exit(failed ? 1 : 0);
}

main();
