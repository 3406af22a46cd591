package capability

import (
	"iter"
	"slices"
	"strings"
)

// A subject is what a term asks about: the key of a tag, or one of these words, each of which looks where net-mesh's
// vocabulary keeps the answer.
const (
	subjectMemory   = "memory_mb"
	subjectVRAM     = "vram_mb" // of the largest single GPU: two small ones do not make a large one
	subjectContext  = "context"
	subjectVendor   = "vendor"
	subjectModel    = "model"
	subjectTool     = "tool"
	subjectModality = "modality"
)

const (
	keyGPU      = "hardware.gpu"
	modelPrefix = "software.model."
	toolPrefix  = "software.tool."
	digits      = "0123456789"
	mbOfGB      = 1024
)

// numbersOnly are subjects that only a number can be compared with; textOnly is its counterpart.
func numbersOnly(subject string) bool {
	return subject == subjectMemory || subject == subjectVRAM || subject == subjectContext
}

func textOnly(subject string) bool {
	switch subject {
	case subjectVendor, subjectModel, subjectTool, subjectModality:
		return true
	}
	return false
}

// answers are the values that the set has for the subject.
func answers(s Set, subject string) iter.Seq[Tag] {
	return func(yield func(Tag) bool) {
		switch subject {
		case subjectMemory:
			megabytes(s, "hardware.memory", yield)
		case subjectVRAM:
			eachGPU(s, func(prefix string) bool { return megabytes(s, prefix+".vram", yield) })
		case subjectVendor:
			eachGPU(s, func(prefix string) bool { return each(s.with(prefix+".vendor"), yield) })
		case subjectModel:
			indexed(s, modelPrefix, "id", yield)
		case subjectTool:
			indexed(s, toolPrefix, "tool_id", yield)
		case subjectContext:
			indexed(s, modelPrefix, "context_length", yield)
		case subjectModality:
			indexed(s, modelPrefix, "modalities", func(list Tag) bool { return words(list, yield) })
		default:
			each(s.with(subject), yield)
		}
	}
}

func words(list Tag, yield func(Tag) bool) bool {
	for word := range strings.SplitSeq(list.value, ",") {
		if !yield(Tag{key: list.key, value: strings.TrimSpace(word)}) {
			return false
		}
	}
	return true
}

func each(tags []Tag, yield func(Tag) bool) bool {
	for _, tag := range tags {
		if tag.value != "" && !yield(tag) {
			return false
		}
	}
	return true
}

// megabytes yields PREFIX_mb, or PREFIX_gb in megabytes where the exact number is not known.
func megabytes(s Set, prefix string, yield func(Tag) bool) bool {
	if exact, ok := s.Number(prefix + "_mb"); ok {
		return yield(Tag{key: prefix + "_mb", value: exact.String(), number: exact, numeric: true})
	}
	rounded, ok := s.Int(prefix + "_gb")
	if !ok || rounded < 0 || rounded > 1<<40 {
		return true
	}
	n := Whole(rounded * mbOfGB)
	return yield(Tag{key: prefix + "_gb", value: n.String(), number: n, numeric: true})
}

// eachGPU yields hardware.gpu and every hardware.gpu.N of the set.
func eachGPU(s Set, yield func(prefix string) bool) {
	if !yield(keyGPU) {
		return
	}
	prefix := keyGPU + "."
	last := ""
	for _, tag := range s.under(prefix) {
		index, _, found := strings.Cut(tag.key[len(prefix):], ".")
		if !found || index == last || strings.Trim(index, digits) != "" {
			continue
		}
		if last = index; !yield(prefix + index) {
			return
		}
	}
}

// indexed yields the tags PREFIX N .FIELD with a value.
func indexed(s Set, prefix, field string, yield func(Tag) bool) {
	for _, tag := range s.under(prefix) {
		index, rest, _ := strings.Cut(tag.key[len(prefix):], ".")
		if rest == field && strings.Trim(index, digits) == "" && tag.value != "" && !yield(tag) {
			return
		}
	}
}

// under are the tags whose key begins with the prefix, a part of the set.
func (s Set) under(prefix string) []Tag {
	start, _ := slices.BinarySearchFunc(s.tags, prefix, func(t Tag, prefix string) int {
		return strings.Compare(t.key, prefix)
	})
	end := start
	for end < len(s.tags) && strings.HasPrefix(s.tags[end].key, prefix) {
		end++
	}
	return s.tags[start:end]
}
