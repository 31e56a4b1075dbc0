import { describe, expect, it } from "vitest";
import { createEvents, newsOf } from "../../src/jobs/events.ts";

function prepare() {
  const heard: string[] = [];
  let notify = (_payload: string): void => {};
  let reconnect = (): void => {};
  const ended: string[] = [];
  const events = createEvents({
    onNotification(listener) {
      notify = listener;
      return () => void ended.push("notifications");
    },
    onReconnect(listener) {
      reconnect = listener;
      return () => void ended.push("reconnects");
    },
    start: async () => {},
    close: async () => {},
  });
  return {
    events,
    heard,
    ended,
    notify: (payload: string) => notify(payload),
    reconnect: () => reconnect(),
    hear: (name: string) => () => void heard.push(name),
  };
}

describe("news", () => {
  it("reach those who listen to their topic and subject, or to any subject", () => {
    const { events, heard, notify, hear } = prepare();
    events.on("changed", "job-1", hear("changed job-1"));
    events.on("changed", "job-2", hear("changed job-2"));
    events.on("changed", undefined, hear("changed"));
    events.on("queued", undefined, hear("queued"));
    notify(newsOf("changed", "job-1"));
    expect(heard.splice(0)).toEqual(["changed", "changed job-1"]);
    notify(newsOf("queued"));
    expect(heard).toEqual(["queued"]);
  });

  it("reach everybody once when some may have been missed", () => {
    const { events, heard, reconnect, hear } = prepare();
    events.on("changed", "job-1", hear("changed job-1"));
    events.on("queued", undefined, hear("queued"));
    reconnect();
    expect(heard.toSorted()).toEqual(["changed job-1", "queued"]);
  });

  it("reach nobody who has stopped listening, and still the others", () => {
    const { events, heard, notify, hear } = prepare();
    const stop = events.on("changed", "job-1", hear("first"));
    events.on("changed", "job-1", hear("second"));
    stop();
    notify(newsOf("changed", "job-1"));
    expect(heard).toEqual(["second"]);
  });

  it("reach nobody after the end", () => {
    const { events, heard, ended, notify, hear } = prepare();
    events.on("queued", undefined, hear("queued"));
    events.close();
    notify(newsOf("queued"));
    expect(heard).toEqual([]);
    expect(ended).toEqual(["notifications", "reconnects"]);
  });
});
