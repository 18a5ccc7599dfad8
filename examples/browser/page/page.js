const { issuer, audience } = document.querySelector('script[data-issuer]').dataset
const $ = (id) => document.getElementById(id)

let access = null // the access token: here, and nowhere else
let refreshing = null

// post asks the issuer. Its cookies go along, and come back.
async function post(path, body = {}) {
  const response = await fetch(issuer + path, {
    method: 'POST',
    credentials: 'include',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (response.status === 204) return {}
  const answer = await response.json()
  if (!response.ok) throw Object.assign(new Error(answer.title), answer)
  return answer
}

// refresh gets the next access token, once for all who wait for it.
function refresh() {
  refreshing ??= post('/v1/refresh')
    .then((answer) => { access = answer.access_token })
    .finally(() => { refreshing = null })
  return refreshing
}

// api calls our own server; a token that has expired is replaced once.
async function api(method, path, body) {
  const send = () => fetch(path, {
    method,
    headers: { Authorization: `Bearer ${access}`, 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  })
  let response = await send()
  if (response.status === 401) {
    access = null
    await refresh()
    response = await send()
  }
  if (response.status === 403) throw new Error('You may look, but not change anything.')
  if (!response.ok) throw new Error('That did not work. Try again shortly.')
  return response.status === 204 ? null : response.json()
}

function show(loggedIn, text = '') {
  $('login').hidden = loggedIn
  $('tasks').hidden = !loggedIn
  $('status').textContent = text
}

async function list() {
  const tasks = await api('GET', '/tasks')
  $('list').replaceChildren(...tasks.map((task) => {
    const item = document.createElement('li')
    const title = document.createElement('span')
    title.textContent = task.title
    const done = document.createElement('button')
    done.className = 'quiet'
    done.textContent = 'Done'
    done.setAttribute('aria-label', `Done: ${task.title}`)
    done.onclick = () => act(done, async () => {
      await api('DELETE', `/tasks/${task.id}`)
      await list()
      $('title').focus()
    })
    item.append(title, done)
    return item
  }))
  show(true, tasks.length ? '' : 'Nothing to do.')
}

// act does what a button asks for, once at a time, and says what went wrong.
async function act(button, work) {
  button.disabled = true
  try {
    await work()
  } catch (error) {
    if (error.status === 401 && error.code !== 'invalid_credentials') show(false, 'Please log in again.')
    else $('status').textContent = error.message
  } finally {
    button.disabled = false
  }
}

$('login').onsubmit = (event) => {
  event.preventDefault()
  act(event.submitter ?? $('login').querySelector('button'), async () => {
    const answer = await post('/v1/login', { username: $('username').value, password: $('password').value, audience, mode: 'cookie' })
    access = answer.access_token
    event.target.reset()
    await list()
    $('title').focus()
  })
}

$('add').onsubmit = (event) => {
  event.preventDefault()
  act(event.submitter ?? $('add').querySelector('button'), async () => {
    await api('POST', '/tasks', { title: $('title').value })
    event.target.reset()
    await list()
    $('title').focus()
  })
}

$('logout').onclick = () => act($('logout'), async () => {
  await post('/v1/refresh/end')
  access = null
  $('list').replaceChildren()
  show(false, 'You have logged out.')
  $('username').focus()
})

// Whoever logged in before is logged in still.
refresh().then(list).catch((error) => show(false, error.code ? '' : 'The server cannot be reached.'))
