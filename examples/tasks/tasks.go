// Package tasks is a guarded API: the task list of whoever is logged in. Each
// person sees only their own tasks; editors and admins may write; admins may
// see everybody's. It keeps tasks in memory and refuses to keep more than a few
// per person.
package tasks

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/guard"
)

// Task is one thing to do.
type Task struct {
	ID    int    `json:"id"`
	Owner string `json:"owner"`
	Title string `json:"title"`
}

const maxTasks = 1000 // per person

type api struct {
	guard *guard.Guard
	mu    sync.Mutex
	last  int
	tasks []Task
}

var (
	admin = authz.Role("admin")
	write = authz.Any(authz.Role("editor"), admin)
)

// Handler serves the API behind a guard.
func Handler(g *guard.Guard) http.Handler {
	a := &api{guard: g}
	mux := http.NewServeMux()
	mux.Handle("GET /tasks", g.HandlerFunc(a.list))
	mux.Handle("POST /tasks", g.HandlerFunc(a.add, write))
	mux.Handle("DELETE /tasks/{id}", g.HandlerFunc(a.remove, write))
	return mux
}

func (a *api) list(w http.ResponseWriter, r *http.Request) {
	me := guard.Token(r)
	all := r.URL.Query().Get("all") == "true"
	if all {
		if err := admin.Check(me); err != nil {
			a.guard.Refuse(w, r, err)
			return
		}
	}
	found := []Task{}
	a.mu.Lock()
	for _, t := range a.tasks {
		if all || t.Owner == me.Subject() {
			found = append(found, t)
		}
	}
	a.mu.Unlock()
	answer(w, http.StatusOK, found)
}

func (a *api) add(w http.ResponseWriter, r *http.Request) {
	t := Task{Owner: guard.Token(r).Subject()}
	var body struct{ Title string }
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&body)
	if err != nil || body.Title == "" {
		http.Error(w, `the body must be {"title":"…"}`, http.StatusBadRequest)
		return
	}
	t.Title = body.Title
	a.mu.Lock()
	defer a.mu.Unlock()
	own := 0
	for _, other := range a.tasks {
		if other.Owner == t.Owner {
			own++
		}
	}
	if own >= maxTasks {
		http.Error(w, "too many tasks: delete some first", http.StatusConflict)
		return
	}
	a.last++
	t.ID = a.last
	a.tasks = append(a.tasks, t)
	answer(w, http.StatusCreated, t)
}

func (a *api) remove(w http.ResponseWriter, r *http.Request) {
	me := guard.Token(r)
	id, _ := strconv.Atoi(r.PathValue("id"))
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.IndexFunc(a.tasks, func(t Task) bool { return t.ID == id && t.Owner == me.Subject() })
	if i < 0 { // another person's task does not exist for me
		http.Error(w, "no such task", http.StatusNotFound)
		return
	}
	a.tasks = slices.Delete(a.tasks, i, i+1)
	w.WriteHeader(http.StatusNoContent)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
