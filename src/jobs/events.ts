/**
 * News about jobs, from this process and all others on the same database: waiting for a job happens here
 * instead of by polling. News may be missed while a connection is down, so afterwards everyone is woken and
 * looks.
 */
import type { Listener } from "../database/listener.ts";

export type Topic =
  /** A job may be waiting for a worker. */
  | "queued"
  /** A job may be waiting for its image to be downloaded. */
  | "source"
  /** The state of a job changed. */
  | "changed"
  /** A job made progress. */
  | "progressed"
  /** A webhook is due. */
  | "webhook"
  /** An API key was revoked. */
  | "key";

export interface Events {
  /**
   * Calls back on news about `subject`, or about any subject if none is given.
   * @returns a function that ends it
   */
  on(topic: Topic, subject: string | undefined, listener: () => void): () => void;
  close(): void;
}

/** The payload of a notification, sent in the statement that makes the news, so that both commit together. */
export const newsOf = (topic: Topic, subject = ""): string => `${topic} ${subject}`;

export function createEvents(notifications: Listener): Events {
  const listeners = new Map<string, Set<() => void>>();
  const call = (key: string): void => listeners.get(key)?.forEach((listener) => listener());
  const endNotifications = notifications.onNotification((payload) => {
    const topicAlone = payload.slice(0, payload.indexOf(" ") + 1);
    call(topicAlone);
    if (payload !== topicAlone) call(payload);
  });
  const endReconnects = notifications.onReconnect(() => {
    for (const key of listeners.keys()) call(key);
  });
  return {
    on(topic, subject, listener) {
      const key = newsOf(topic, subject);
      const own = listeners.get(key) ?? new Set();
      listeners.set(key, own.add(listener));
      return () => {
        own.delete(listener);
        if (own.size === 0 && listeners.get(key) === own) listeners.delete(key);
      };
    },
    close() {
      endNotifications();
      endReconnects();
      listeners.clear();
    },
  };
}
