import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";

import * as present from "../../src/present";
import type { Status } from "../../src/protocol";
import { clientCommand, noticeOfEnd, noticeOfWaiting, waysOn } from "../../src/waysOn";

/** Each situation that the server knows, as it answers: its own tests keep the file. */
const file = join(__dirname, "../../../../tests/fixtures/situations.json");
const situations = JSON.parse(readFileSync(file, "utf8")) as { name: string; status: Status }[];

describe("each situation", () => {
  for (const { name, status } of situations) {
    const state = { ...present.nothing, isKnown: true, status };
    it(`says what the server says: ${name}`, () => {
      const { text, tooltip } = present.statusLine(state);
      assert.ok(status.state === "fresh" || text.includes(status.headline ?? "?"), text);
      assert.ok(tooltip.includes(status.summary ?? "?"), tooltip);
    });
    it(`offers what the server offers, and nothing else: ${name}`, () => {
      const ways = status.ways_on ?? [];
      const offered = waysOn(state);
      for (const way of ways) {
        const isOurs = way.command !== null || way.id === "save" || clientCommand(way) !== undefined;
        assert.equal(offered.includes(way), isOurs, way.id);
      }
      assert.ok(offered.every((way) => ways.includes(way)));
      const titles = ways.map((way) => way.title);
      const notices = [
        ...(status.outcome === null ? [] : [noticeOfEnd(state, status.outcome, status.summary ?? "", ways)]),
        ...[noticeOfWaiting(state, false)].filter((notice) => notice !== undefined),
      ];
      for (const button of notices.flatMap((notice) => notice.buttons)) {
        assert.ok(!("way" in button) || titles.includes(button.title), button.title);
      }
    });
    it(`takes another task where the server takes one: ${name}`, () => {
      // A task that nobody has begun is started, not left for another one.
      const takes = status.state !== "ready" && (status.ways_on ?? []).some(({ id }) => id === "start");
      assert.equal(present.isUnfinished(state), status.task !== null && !takes);
    });
    it(`shows what was proven: ${name}`, () => {
      const rows = present.below(status, "implement");
      assert.ok(rows !== null && "tasks" in rows);
      assert.deepEqual(rows.checks, status.checks);
      for (const check of rows.checks) {
        assert.ok(check.words.startsWith(check.state.replaceAll("_", " ")), check.words);
        assert.notEqual(present.stateIcon(present.checkState(check))[0], "circle-large-outline", check.state);
        assert.ok(!present.hasLogToRead(check) || check.file?.endsWith(`/checks/${check.name}.log`) === true);
      }
      const failed = rows.checks.filter((check) => check.state === "failed").length;
      assert.equal(present.contextKeys(state)["baton.failed_checks"], failed > 0);
      for (const criterion of rows.tasks.flatMap((task) => task.criteria ?? [])) {
        const [icon] = present.stateIcon(criterion.state ?? "pending");
        assert.equal(icon === "circle-large-outline", criterion.state === null, criterion.text);
      }
    });
    it(`enables what can be done: ${name}`, () => {
      const ids = new Set((status.ways_on ?? []).map((way) => way.id));
      const keys = present.contextKeys(state);
      assert.equal(keys["baton.can_undo"], ids.has("undo"));
      assert.equal(keys["baton.can_approve"], ids.has("approve"));
      assert.equal(keys["baton.can_show_changes"], ids.has("show_changes"));
    });
  }
});
