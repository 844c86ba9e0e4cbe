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
    // The first case through a pooler, often; each in a transaction, as some drivers try again outside of one
    pooled: async (port) => {
      const pool = new Client({ host: '127.0.0.1', port });
      await pool.connect();
      const got = [];
      for (let i = 0; i < 12; i++) {
        await pool.query('BEGIN');
        got.push(...(await pool.query({ text: sqlOf(cases[0].sql), values: cases[0].values, rowMode: 'array' })).rows);
        await pool.query('COMMIT');
      }
      await pool.end();
      return got;
    },
    run: async (sql, values) => (await client.query({ text: sqlOf(sql), values, rowMode: 'array' })).rows,
    // Resolves when another connection has written
    notified: async () => {
      const told = new Promise((resolve) => client.once('notification', resolve));
      await client.query('LISTEN modseq');
      const other = new Client();
      await other.connect();
      const { rows } = await other.query('INSERT INTO mailbox VALUES (9007199254740993) RETURNING id');  // 2^53 + 1
      await other.query('INSERT INTO mail (mailbox_id) VALUES ($1)', [rows[0].id]);
      await other.end();
      return JSON.parse((await told).payload).mailbox === Number(rows[0].id);
    },
    end: () => client.end(),
  };
}

async function postgresJs() {
  const postgres = require('postgres');
  const sql = postgres({ max: 1, host: process.env.PGHOST, onnotice: () => {} });
  return {
    run: async (text, values) => [...await sql.unsafe(sqlOf(text), values).values()],
    pooled: async (port) => {
      const pool = postgres({ max: 1, host: '127.0.0.1', port, prepare: false });
      const got = [];
      for (let i = 0; i < 12; i++) {
        got.push(...await pool.begin((tx) => tx`SELECT uidnext FROM modseq.status('mail', CAST(${1} AS bigint))`.values()));
      }
      await pool.end();
      return got;
    },
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
  if (process.env.POOLER) {
    const got = await driver.pooled(Number(process.env.POOLER)).then(plain, (error) => [[error.message]]);
    report('a pooler', got.length === 12 && got.every((row) => row[0] === cases[0].rows[0][0]), got);
  }
  report('notifications', await driver.notified(), null);
  await driver.end();
  process.exit(failed ? 1 : 0);
}

main();
