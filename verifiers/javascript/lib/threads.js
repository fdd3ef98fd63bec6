// One thread for each core, kept until the end.
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";

const idle = [];

/** Have every item checked by a thread; `done` gets the results in any order. An item without a task is left out. */
export async function spread(items, task, done) {
  const waiting = [...items];
  const work = async () => {
    const worker = idle.pop() ?? new Worker(new URL("./worker.js", import.meta.url));
    for (let item = waiting.shift(); item; item = waiting.shift()) {
      const message = task(item);
      if (message) done(item, await answer(worker, message));
    }
    idle.push(worker);
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), items.length) }, work));
}

function answer(worker, message) {
  return new Promise((resolve, reject) => {
    worker.once("error", reject);
    worker.once("message", (result) => {
      worker.removeListener("error", reject);
      resolve(result);
    });
    worker.postMessage(message);
  });
}

/** End all threads. */
export const stop = () => idle.forEach((worker) => worker.terminate());
