package dispatch

const (
	chunkSize = 64 << 10
	// largestShared is the largest payload that shares a chunk; larger ones are left to the garbage collector.
	largestShared = chunkSize / 4
	spareChunks   = 64
)

// arena holds copies of outputs on their way to other daemons and to the disk. It belongs to the loop.
type arena struct {
	current *chunk
	spare   []*chunk
}

// chunk is memory for several payloads. It is used again when nobody holds it any more; a payload that a daemon never
// let go of keeps its chunk for ever.
type chunk struct {
	bytes []byte
	holds int
}

// copy returns a copy of the payload and the chunk to release it by, which is nil for large payloads.
func (a *arena) copy(payload []byte) ([]byte, *chunk) {
	if len(payload) > largestShared {
		return append([]byte(nil), payload...), nil
	}
	c := a.current
	if c == nil || len(c.bytes)+len(payload) > chunkSize {
		c = a.next()
	}
	start := len(c.bytes)
	c.bytes = append(c.bytes, payload...)
	c.holds++
	return c.bytes[start:len(c.bytes):len(c.bytes)], c
}

func (a *arena) next() *chunk {
	if n := len(a.spare); n > 0 {
		a.current, a.spare = a.spare[n-1], a.spare[:n-1]
	} else {
		a.current = &chunk{bytes: make([]byte, 0, chunkSize)}
	}
	return a.current
}

func (a *arena) release(c *chunk) {
	if c == nil {
		return
	}
	if c.holds--; c.holds > 0 {
		return
	}
	c.bytes = c.bytes[:0]
	if c != a.current && len(a.spare) < spareChunks {
		a.spare = append(a.spare, c)
	}
}

func (c *chunk) hold() {
	if c != nil {
		c.holds++
	}
}
