package mesh

import (
	"fmt"
	"iter"
)

// MaxKey is the longest key of a Keyed in bytes.
const MaxKey = 256

// Keyed holds what a daemon keeps for each of the things its events are about, up to a limit. It goes through them in
// the order in which they came, so that the same events give the same outputs and state.
type Keyed[T any] struct {
	limit   int
	index   map[string]int
	keys    []string
	values  []T
	refused uint64 // calls of At with a key beyond the limits
}

// NewKeyed holds at most limit keys.
func NewKeyed[T any](limit int) *Keyed[T] {
	return &Keyed[T]{limit: limit, index: make(map[string]int)}
}

// At is the value of a key; a new one has the zero value. The pointer is good until the next call. A key beyond the
// limits gives ErrTooLarge.
func (k *Keyed[T]) At(key []byte) (*T, error) {
	if i, ok := k.index[string(key)]; ok {
		return &k.values[i], nil
	}
	if len(key) > MaxKey {
		k.refused++
		return nil, fmt.Errorf("key of %d bytes, above %d: %w", len(key), MaxKey, ErrTooLarge)
	}
	if len(k.keys) >= k.limit {
		k.refused++
		return nil, fmt.Errorf("key %q beyond the %d that are kept: %w", key, k.limit, ErrTooLarge)
	}
	name := string(key)
	var zero T
	k.index[name] = len(k.keys)
	k.keys, k.values = append(k.keys, name), append(k.values, zero)
	return &k.values[len(k.values)-1], nil
}

// All goes through the keys in the order in which they came.
func (k *Keyed[T]) All() iter.Seq2[string, *T] {
	return func(yield func(string, *T) bool) {
		for i, key := range k.keys {
			if !yield(key, &k.values[i]) {
				return
			}
		}
	}
}

// Len is the number of keys.
func (k *Keyed[T]) Len() int { return len(k.keys) }

// Reset forgets all keys.
func (k *Keyed[T]) Reset() {
	clear(k.index)
	k.keys, k.values = nil, nil
}

// Saturation is how full it is, from 0 to 1.
func (k *Keyed[T]) Saturation() float32 { return float32(len(k.keys)) / float32(max(k.limit, 1)) }

// Health is degraded once a key had no place.
func (k *Keyed[T]) Health() Health {
	if k.refused == 0 {
		return Health{}
	}
	return Health{
		Level: Degraded, Reason: fmt.Sprintf("%d events of keys beyond the %d that are kept", k.refused, k.limit),
	}
}

// Append adds the keys to a record, each followed by what one adds for its value.
func (k *Keyed[T]) Append(b []byte, one func(b []byte, value *T) []byte) []byte {
	b = AppendUint(b, uint64(len(k.keys)))
	for i, key := range k.keys {
		b = one(AppendText(b, key), &k.values[i])
	}
	return b
}

// Decode reads what Append wrote into an empty Keyed; one reads a value, which takes at least size bytes.
func (k *Keyed[T]) Decode(d *Decoder, size int, one func(d *Decoder, value *T)) {
	for range d.Count(1 + size) {
		key := d.Text()
		if _, twice := k.index[key]; twice {
			d.Fail("key %q twice", key)
			return
		}
		value, err := k.At([]byte(key))
		if err != nil {
			d.Fail("%w", err)
			return
		}
		if one(d, value); d.err != nil {
			return
		}
	}
}
