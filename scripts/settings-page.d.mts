import type { Settings } from "../src/config/setting.ts";

export function settingsPage(page: string, sections: Readonly<Record<string, Settings>>): Promise<string>;
export function environmentExample(sections: Readonly<Record<string, Settings>>): string;
