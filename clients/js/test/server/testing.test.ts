import { describe, expect, it } from "vitest";
import { createTestIssuer } from "../../src/testing.js";

describe("test issuer", () => {
  it.each(["ES256", "ES384", "ES512", "EdDSA", "Ed25519", "RS256", "PS384"] as const)("signs with %s", { timeout: 60_000 }, async (algorithm) => { // RSA keys take their time
    const issuer = createTestIssuer({ algorithm });
    const token = await issuer.verifier().verify(issuer.token({ sub: "acc_ada", roles: ["editor"], scope: "a b" }));
    expect(token).toMatchObject({ subject: "acc_ada", roles: ["editor"], scopes: ["a", "b"] });
    expect(() => { (token.claims as { sub?: string }).sub = "acc_root"; }).toThrow(TypeError);
    expect(() => { (token.roles as string[]).push("admin"); }).toThrow(TypeError);
  });

  const issuer = createTestIssuer();
  const verifier = issuer.verifier();
  it.each([
    ["expired", () => issuer.expired(), "token_expired"],
    ["for another API", () => issuer.token({ aud: "https://other.test" }), "token_invalid"],
    ["of another issuer", () => createTestIssuer().token(), "token_invalid"],
    ["without a subject", () => issuer.token({ sub: undefined }), "ok"],
    ["not yet valid", () => issuer.token({ nbf: Date.now() / 1000 + 60 }), "token_invalid"],
  ])("%s", async (_, make, want) => {
    const got = await verifier.verify(make()).then(() => "ok", (e: unknown) => (e as { code: string }).code);
    expect(got).toBe(want);
  });

  it("revokes a token that was verified, a session, a subject", async () => {
    const [one, other] = [issuer.token({ sid: "ses_1" }), issuer.token({ sid: "ses_1" })];
    await verifier.verify(one);
    await verifier.verify(other);
    issuer.revoke(one);
    await expect(verifier.verify(one)).rejects.toMatchObject({ code: "token_revoked" });
    await verifier.verify(other);
    issuer.endSession("ses_1");
    await expect(verifier.verify(other)).rejects.toMatchObject({ code: "token_revoked" });

    const app = issuer.token({ sub: "app_1", sid: undefined, iat: Date.now() / 1000 - 10 });
    await verifier.verify(app);
    issuer.endSubject("app_1");
    await expect(verifier.verify(app)).rejects.toMatchObject({ code: "token_revoked" });
    await verifier.verify(issuer.token({ sub: "app_1" })); // of a session, which ends by itself
  });

  it("takes the old key's tokens until that is removed, also those it has verified", async () => {
    const old = issuer.token();
    await verifier.verify(old);
    issuer.rotate();
    await verifier.verify(old);
    const now = issuer.token();
    await verifier.verify(now);
    issuer.rotate("remove");
    await expect(verifier.verify(old)).rejects.toMatchObject({ code: "token_invalid" });
    await expect(verifier.verify(now)).rejects.toMatchObject({ code: "token_invalid" });
    await verifier.verify(issuer.token());
  });

  it("ends a warm token at its second", async () => {
    let now = 1_800_000_000_000;
    const clocked = createTestIssuer({ now: () => now });
    const v = clocked.verifier({ leeway: 0 });
    const token = clocked.token({}, 10);
    await v.verify(token);
    now += 9_999;
    await v.verify(token);
    now += 1;
    await expect(v.verify(token)).rejects.toMatchObject({ code: "token_expired" });
    now -= 20_000;
    await expect(v.verify(token)).rejects.toMatchObject({ code: "token_invalid" }); // before it was issued
  });
});
