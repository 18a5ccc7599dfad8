import { useSession } from "@jotsmith/client/react";
import { useRef } from "react";
import { type Device, endDevice, mostDevices, readDevices } from "./api";
import { Fault, NotLoaded } from "./Messages";
import { nameOf } from "./nameOf";
import { useAct } from "./useAct";
import { useLoaded } from "./useLoaded";

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** "Signed in on these devices": each can be ended from every other. */
export function Devices() {
  const { logout } = useSession();
  const { data: devices, error, reload } = useLoaded(readDevices);
  const { busy, fault, act } = useAct();
  const heading = useRef<HTMLHeadingElement>(null);

  const end = (id: string) => {
    act(async () => {
      await endDevice(id);
      await reload();
      heading.current?.focus(); // the button is gone
    });
  };

  return (
    <section aria-labelledby="devices" aria-busy={busy || (!devices && !error)}>
      <h2 id="devices" ref={heading} tabIndex={-1}>Signed in on these devices</h2>
      <Fault text={fault} />
      {devices && (
        <ul>
          {devices.map((device) => (
            <li key={device.id}>
              <span>
                {nameOf(device.device)} {device.current && <strong className="here">this device</strong>}
                <small>{lastUse(device)}</small>
              </span>
              {!device.current && (
                <button type="button" className="quiet" aria-disabled={busy} aria-label={`End ${nameOf(device.device)}, ${lastUse(device)}`} onClick={() => { end(device.id); }}>
                  End
                </button>
              )}
            </li>
          ))}
        </ul>
      )}
      {devices?.length === mostDevices && <p className="hint">These are the first {mostDevices}.</p>}
      {!devices && !error && <p role="status">Reading where you are signed in …</p>}
      {error !== undefined && <NotLoaded error={error} retry={() => { void reload(); }} />}
      <button type="button" className="quiet" aria-disabled={busy} onClick={() => { act(() => logout({ everywhere: true })); }}>
        Log out everywhere
      </button>
    </section>
  );
}

function lastUse({ last_used_at, address }: Device): string {
  return [`last used ${moment.format(new Date(last_used_at))}`, address && `from ${address}`].filter(Boolean).join(" ");
}
