package main

import (
	"fmt"
	"strings"
	"time"
)

// progress shows how far work of more than a second has come, and only on a terminal. One goroutine uses it.
type progress struct {
	con   *console
	label string
	total int
	begin time.Time
	shown time.Time
	drawn bool
}

const (
	progressDelay = time.Second
	progressEvery = 100 * time.Millisecond
	progressWidth = 24
)

// Progress begins work of total steps; 0 means that nobody knows how many. End it with Done.
func (c *console) Progress(label string, total int) *progress {
	now := time.Now()
	return &progress{con: c, label: label, total: total, begin: now, shown: now}
}

// Step says that done steps are behind.
func (p *progress) Step(done int) {
	now := time.Now()
	if now.Sub(p.begin) < progressDelay || now.Sub(p.shown) < progressEvery {
		return
	}
	width := columns(p.con.Err)
	if width == 0 || p.con.JSON() {
		return
	}
	p.shown, p.drawn = now, true
	line := fmt.Sprintf("%s %d", p.label, done)
	if p.total > 0 {
		full := min(done*progressWidth/p.total, progressWidth)
		bar := strings.Repeat("=", full) + strings.Repeat(" ", progressWidth-full)
		line = fmt.Sprintf("%s [%s] %d/%d", p.label, bar, done, p.total)
	}
	fmt.Fprintf(p.con.Err, "\r\033[K%.*s", max(width-1, 0), line)
}

// Done takes the line away.
func (p *progress) Done() {
	if p.drawn {
		fmt.Fprint(p.con.Err, "\r\033[K")
	}
}
