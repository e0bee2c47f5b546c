// Jobs without work through BullMQ: inserted in bulk here, done by one worker in a process of its own.
// Prints jobs a second, from the first insert until the last is done. `node bullmq.mjs JOBS`, with REDIS_URL.
import { Queue, Worker } from "bullmq";
import { run } from "./two_processes.mjs";

const INSERTED_AT_ONCE = 500;
const AT_ONCE = 100;
const name = "noop";
const connection = { url: process.env.REDIS_URL };

async function work(count) {
  const options = { connection, concurrency: AT_ONCE, removeOnComplete: { count: 0 } };
  const worker = new Worker(name, async () => {}, options);
  worker.on("completed", count);
  await worker.waitUntilReady();
}

async function openQueue() {
  const queue = new Queue(name, { connection });
  return async (jobs) => {
    for (let left = jobs; left > 0; left -= INSERTED_AT_ONCE) {
      const few = Math.min(left, INSERTED_AT_ONCE);
      await queue.addBulk(Array.from({ length: few }, () => ({ name, data: {} })));
    }
  };
}

await run(work, openQueue);
