// Runs a queue's feeder here and its worker in a child process, and prints jobs a second.
import { fork } from "node:child_process";

// `work(count)` starts the worker, which calls `count` for each job that is done; `openQueue` gives the function that
// inserts so many jobs.
export async function run(work, openQueue) {
  if (process.send) {
    let done = 0;
    let target = Infinity;
    process.on("disconnect", () => process.exit());
    process.on("message", (jobs) => { done = 0; target = jobs; process.send("counting"); });
    await work(() => { if (++done === target) process.send("done"); });
    process.send("ready");
    return;
  }
  const jobs = Number(process.argv[2]);
  const child = fork(process.argv[1]);
  child.on("exit", (code) => process.exit(code || 1));
  const told = (word) => new Promise((resolve) => {
    const listen = (message) => { if (message === word) { child.off("message", listen); resolve(); } };
    child.on("message", listen);
  });
  await told("ready");
  const insert = await openQueue();
  const measure = async (count) => {
    const counting = told("counting");
    child.send(count);
    await counting;
    const done = told("done");
    const began = performance.now();
    await insert(count);
    await done;
    return (1000 * count) / (performance.now() - began);
  };
  // A tenth goes by first: connections and caches are warm then.
  await measure(Math.ceil(jobs / 10));
  console.log(await measure(jobs));
  child.removeAllListeners("exit");
  child.kill();
  process.exit(0);
}
