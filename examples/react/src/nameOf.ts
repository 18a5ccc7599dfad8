const browsers: [RegExp, string][] = [
  [/Edg\w*\//, "Edge"],
  [/OPR\//, "Opera"],
  [/Firefox\/|FxiOS\//, "Firefox"],
  [/Chrome\/|CriOS\//, "Chrome"],
  [/Safari\//, "Safari"],
];

const systems: [RegExp, string][] = [
  [/iPhone|iPad/, "iOS"],
  [/Android/, "Android"],
  [/Windows/, "Windows"],
  [/Mac OS X/, "macOS"],
  [/CrOS/, "ChromeOS"],
  [/Linux/, "Linux"],
];

/** A user agent in few words; its own beginning, where it is none of a browser. */
export function nameOf(agent = ""): string {
  const find = (list: typeof browsers) => list.find(([sign]) => sign.test(agent))?.[1];
  const browser = find(browsers);
  if (!browser) return agent.slice(0, 40) || "An unknown device";
  const system = find(systems);
  return system ? `${browser} on ${system}` : browser;
}
