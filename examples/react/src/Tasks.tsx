import { type SyntheticEvent, useRef } from "react";
import { addTask, readTasks, removeTask } from "./api";
import { Fault, NotLoaded } from "./Messages";
import { useAct } from "./useAct";
import { useLoaded } from "./useLoaded";

/** The controls are for those whom the API lets write; it asks for itself who that is. */
export function Tasks({ mayWrite }: { mayWrite: boolean }) {
  const { data: tasks, error, reload } = useLoaded(readTasks);
  const { busy, fault, act } = useAct();
  const title = useRef<HTMLInputElement>(null);

  const add = (event: SyntheticEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    act(async () => {
      await addTask(new FormData(form).get("title") as string);
      form.reset();
      await reload();
      title.current?.focus();
    });
  };
  const done = (id: number) => {
    act(async () => {
      await removeTask(id);
      await reload();
      title.current?.focus(); // the button is gone
    });
  };

  return (
    <section aria-label="Your tasks" aria-busy={busy || (!tasks && !error)}>
      {mayWrite ? (
        <form className="add" onSubmit={add}>
          <label htmlFor="title">New task</label>
          <input id="title" name="title" maxLength={200} autoComplete="off" required ref={title} />
          <button aria-disabled={busy}>Add</button>
        </form>
      ) : (
        <p className="hint">You may look at tasks, but not change them.</p>
      )}
      <Fault text={fault} />
      {tasks && (
        <ul>
          {tasks.map((task) => (
            <li key={task.id}>
              <span>{task.title}</span>
              {mayWrite && (
                <button type="button" className="quiet" aria-disabled={busy} aria-label={`Done: ${task.title}`} onClick={() => { done(task.id); }}>
                  Done
                </button>
              )}
            </li>
          ))}
        </ul>
      )}
      <p role="status">{!tasks && !error ? "Reading your tasks …" : tasks?.length === 0 ? "Nothing to do." : ""}</p>
      {error !== undefined && <NotLoaded error={error} retry={() => { void reload(); }} />}
    </section>
  );
}
