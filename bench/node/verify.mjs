// What verifying the token of a request costs: warm, the same token again, and
// cold, another token each time. The libraries take turns, so that what else
// the machine does falls on all alike; printed are medians of the rounds.
// Usage: npm start [-- ROUNDS]
import { createPublicKey } from 'node:crypto'
import { createTestIssuer } from '@jotsmith/client/testing'
import { createVerifier as createFastVerifier } from 'fast-jwt'
import { createLocalJWKSet, jwtVerify } from 'jose'
import jsonwebtoken from 'jsonwebtoken'

const rounds = Number(process.argv[2] ?? 15)
const issuer = createTestIssuer()
const claims = { sub: 'acc_anna', scope: 'tasks:read tasks:write', roles: ['editor'] }
const key = createPublicKey({ key: issuer.jwks.keys[0], format: 'jwk' })
const pem = key.export({ type: 'spki', format: 'pem' })
const set = createLocalJWKSet(issuer.jwks)
const demands = { allowedIss: issuer.issuer, allowedAud: issuer.audience, clockTolerance: 30_000, requiredClaims: ['exp', 'sub'] }
const joseDemands = { issuer: issuer.issuer, audience: issuer.audience, algorithms: ['ES256'], typ: 'at+jwt', requiredClaims: ['exp', 'sub'], clockTolerance: 30 }
const plainDemands = { issuer: issuer.issuer, audience: issuer.audience, algorithms: ['ES256'], clockTolerance: 30 }

const verifier = issuer.verifier()
const cached = createFastVerifier({ key: pem, algorithms: ['ES256'], cache: 20_000, ...demands })
const subjects = {
  '@jotsmith/client': (token) => verifier.verify(token),
  'fast-jwt, cache': (token) => cached(token),
  jose: (token) => jwtVerify(token, set, joseDemands),
  jsonwebtoken: (token) => jsonwebtoken.verify(token, key, plainDemands),
}

// As text that came with a request: a string of its own, whose hash nobody has computed yet.
const arrived = (text) => Buffer.from(text).toString('latin1')

async function time(verify, tokens) {
  const texts = tokens.map(arrived)
  const began = process.cpuUsage() // of all threads: what others do beside does not count
  for (const text of texts) await verify(text)
  const { user, system } = process.cpuUsage(began)
  return (user + system) / texts.length
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1]
const results = Object.fromEntries(Object.keys(subjects).map((name) => [name, { warm: [], cold: [] }]))
const token = issuer.token(claims)
for (let round = -2; round < rounds; round++) {
  const fresh = Array.from({ length: 300 }, () => issuer.token(claims))
  const names = Object.keys(subjects)
  for (let i = 0; i < names.length; i++) {
    const name = names[(i + Math.max(round, 0)) % names.length]
    const cold = await time(subjects[name], fresh)
    await subjects[name](token)
    const warm = await time(subjects[name], Array(name === '@jotsmith/client' || name.includes('cache') ? 20_000 : 500).fill(token))
    if (round < 0) continue // the compiler is still at work
    results[name].warm.push(warm)
    results[name].cold.push(cold)
  }
}

const base = results['@jotsmith/client']
console.log('library | warm µs | of ours | cold µs | of ours')
for (const [name, { warm, cold }] of Object.entries(results)) {
  const w = median(warm), c = median(cold)
  console.log(`${name} | ${w.toFixed(2)} | ${(w / median(base.warm)).toFixed(1)} | ${c.toFixed(0)} | ${(c / median(base.cold)).toFixed(2)}`)
}
