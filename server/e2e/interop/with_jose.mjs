// Verifies and signs with jose. See ../interop_test.go for what goes in and out.
import { webcrypto } from 'node:crypto'
import { readFileSync } from 'node:fs'
globalThis.crypto ??= webcrypto // Node 18
const jose = await import('jose')

const { issuer, audience, cases } = JSON.parse(readFileSync(0, 'utf8'))

const verify = async (token, key, alg) =>
  (await jose.jwtVerify(token, key, { issuer, audience, typ: 'at+jwt', algorithms: [alg] })).payload.sub
const sign = (key, alg, kid) =>
  new jose.SignJWT({}).setProtectedHeader({ alg, kid, typ: 'at+jwt' }).setIssuer(issuer).setAudience(audience)
    .setSubject('bob').setIssuedAt().setExpirationTime('5m').sign(key)
const outcome = async (f) => { try { return await f() } catch (e) { return `refused: ${e.message}` } }

const answers = []
for (const c of cases) {
  const a = { verified: {}, tampered: {}, signed: {}, keys: {} }
  const secret = c.alg.startsWith('HS')
  const forms = { jwk: [() => jose.importJWK(c.public_jwk, c.alg), () => jose.importJWK(c.private_jwk, c.alg)] }
  if (!secret) forms.pem = [() => jose.importSPKI(c.public_pem, c.alg), () => jose.importPKCS8(c.private_pem, c.alg)]
  for (const [form, [pub, priv]] of Object.entries(forms)) {
    a.verified[form] = await outcome(async () => verify(c.token, await pub(), c.alg))
    a.tampered[form] = await outcome(async () => verify(c.tampered, await pub(), c.alg))
    a.signed[form] = await outcome(async () => sign(await priv(), c.alg, c.kid))
  }
  if (secret) {
    const key = await jose.generateSecret(c.alg, { extractable: true })
    a.keys.private_jwk = await jose.exportJWK(key)
    a.token = await sign(key, c.alg, 'theirs')
  } else {
    const { publicKey, privateKey } = await jose.generateKeyPair(c.alg, { extractable: true })
    a.keys = {
      public_jwk: await jose.exportJWK(publicKey), private_jwk: await jose.exportJWK(privateKey),
      public_pem: await jose.exportSPKI(publicKey), private_pem: await jose.exportPKCS8(privateKey),
    }
    a.token = await sign(privateKey, c.alg, 'theirs')
  }
  answers.push(a)
}
console.log(JSON.stringify(answers))
