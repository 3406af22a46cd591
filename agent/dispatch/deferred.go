package dispatch

import (
	"context"
	"fmt"
	"sync"

	"github.com/edge-agent/edge-agent/mesh"
)

// pool runs deferred tasks beside the loop. What waits is bounded by maxTasks for each daemon.
type pool struct {
	workers int
	results *mailbox[outcome]

	mu      sync.Mutex
	some    sync.Cond
	waiting []job
	closed  bool
}

type job struct {
	of     *daemon
	worker mesh.Worker
	task   mesh.Task
}

// outcome is how a task ended.
type outcome struct {
	of     *daemon
	task   mesh.Task
	result []byte
	err    error
}

func newPool(workers int, results *mailbox[outcome]) *pool {
	p := &pool{workers: workers, results: results}
	p.some.L = &p.mu
	return p
}

// put has a task done. The worker is asked for now, since the loop alone may look at the daemon.
func (p *pool) put(d *daemon, task mesh.Task) {
	worker, ok := d.impl.(mesh.Worker)
	if !ok {
		p.results.put(outcome{of: d, task: task, err: fmt.Errorf("daemon %s has no Work method", d.ID)})
		return
	}
	p.mu.Lock()
	p.waiting = append(p.waiting, job{d, worker, task})
	p.mu.Unlock()
	p.some.Signal()
}

func (p *pool) take() (job, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.waiting) == 0 && !p.closed {
		p.some.Wait()
	}
	if p.closed {
		return job{}, false
	}
	j := p.waiting[0]
	p.waiting[0] = job{}
	p.waiting = p.waiting[1:]
	return j, true
}

// run starts the workers, which end when the context does, and returns a channel that is closed then.
func (p *pool) run(ctx context.Context) <-chan struct{} {
	context.AfterFunc(ctx, func() {
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.some.Broadcast()
	})
	var all sync.WaitGroup
	for range p.workers {
		all.Go(func() {
			for j, ok := p.take(); ok; j, ok = p.take() {
				result, err := j.do(ctx)
				if ctx.Err() == nil {
					p.results.put(outcome{j.of, j.task, result, err})
				}
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		all.Wait()
		close(ended)
	}()
	return ended
}

func (j *job) do(ctx context.Context) (result []byte, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v", reason)
		}
	}()
	return j.worker.Work(ctx, j.task.Bytes)
}
