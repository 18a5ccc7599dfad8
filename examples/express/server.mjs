// The task list of whoever is logged in: Express, behind the guard of @jotsmith/client.
import { createGuard } from '@jotsmith/client/express'
import express from 'express'

const guard = createGuard({
  issuer: process.env.ISSUER ?? 'http://127.0.0.1:8080',
  audience: process.env.AUDIENCE ?? 'https://tasks.example',
  algorithms: ['ES256'],
})
const anybody = guard.require()
const writer = guard.require({ any: [{ role: 'editor' }, { role: 'admin' }] })

const app = express()
const tasks = new Map() // by id; in memory, for one process
let last = 0

app.get('/tasks', anybody, (req, res) => {
  res.set('Cache-Control', 'no-store').json([...tasks.values()].filter((task) => task.owner === req.token.subject))
})

app.post('/tasks', writer, express.json({ limit: 4096 }), (req, res) => {
  const title = req.body?.title
  if (typeof title !== 'string' || title === '') return res.status(400).json({ error: 'the body must be {"title":"…"}' })
  if (tasks.size >= 10_000) return res.status(409).json({ error: 'too many tasks: delete some first' })
  const task = { id: ++last, owner: req.token.subject, title }
  tasks.set(task.id, task)
  res.status(201).json(task)
})

app.delete('/tasks/:id', writer, (req, res) => {
  const id = Number(req.params.id)
  if (tasks.get(id)?.owner !== req.token.subject) return res.status(404).json({ error: 'no such task' }) // nor another person's
  tasks.delete(id)
  res.status(204).end()
})

app.use((error, req, res, next) => {
  const status = error.status ?? 500
  if (status === 500) console.error(error)
  res.status(status).json({ status })
})

// Without its issuer it starts as well, and answers 503 until it is there.
await guard.verifier.ready(AbortSignal.timeout(2000)).catch((error) => console.warn(error))

app.disable('x-powered-by')
const [host, port] = (process.env.ADDR ?? '127.0.0.1:3001').split(':')
app.listen(Number(port), host, (error) => {
  if (error) throw error
  console.log(`serving tasks on http://${host}:${port}`)
})
