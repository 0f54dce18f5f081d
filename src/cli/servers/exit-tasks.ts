/**
 * What must happen however this process ends: a child killed, a folder removed. The tasks run, newest first, in the
 * `exit` event, which also follows an uncaught exception; they must be synchronous. A folder made before the
 * processes that live in it is therefore removed after them.
 */
const tasks = new Set<() => void>();

function runTasks(): void {
  for (const task of [...tasks].reverse()) {
    try {
      task();
    } catch {
      // One failing task must not keep the others from running, and nobody is left to tell.
    }
  }
  tasks.clear();
}

/** Registers `task`; the function returned takes it back. */
export function addExitTask(task: () => void): () => void {
  if (tasks.size === 0) process.once('exit', runTasks);
  tasks.add(task);
  return () => {
    tasks.delete(task);
    if (tasks.size === 0) process.removeListener('exit', runTasks);
  };
}
