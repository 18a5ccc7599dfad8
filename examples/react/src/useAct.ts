import { useState } from "react";
import { sayWhy } from "./api";

/** Does what a button asks for, one thing at a time, and keeps what went wrong until the next. */
export function useAct() {
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState("");
  const act = async (work: () => Promise<void>) => {
    if (busy) return;
    setBusy(true);
    setFault("");
    try {
      await work();
    } catch (error) {
      setFault(sayWhy(error));
    } finally {
      setBusy(false);
    }
  };
  return { busy, fault, act: (work: () => Promise<void>) => { void act(work); } };
}
