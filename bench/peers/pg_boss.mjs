// Jobs without work through pg-boss: inserted in bulk here, done by one worker in a process of its own.
// Prints jobs a second, from the first insert until the last is done. `node pg_boss.mjs JOBS`, with DATABASE_URL.
import { PgBoss } from "pg-boss";
import { run } from "./two_processes.mjs";

const INSERTED_AT_ONCE = 500;
const name = "noop";

async function start() {
  const boss = new PgBoss({ connectionString: process.env.DATABASE_URL, useListenNotify: true });
  boss.on("error", (error) => console.error(error));
  await boss.start();
  await boss.createQueue(name, { notify: true });
  return boss;
}

async function work(count) {
  const boss = await start();
  // A full batch is followed by the next at once; else a notification wakes the worker.
  const options = { batchSize: 500, localConcurrency: 2, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 };
  await boss.work(name, options, async (jobs) => jobs.forEach(() => count()));
}

async function openQueue() {
  const boss = await start();
  return async (jobs) => {
    for (let left = jobs; left > 0; left -= INSERTED_AT_ONCE) {
      await boss.insert(name, Array.from({ length: Math.min(left, INSERTED_AT_ONCE) }, () => ({ data: {} })));
    }
  };
}

await run(work, openQueue);
