package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// table lines up rows of text under a header. A column that holds only numbers is aligned to the right; on a terminal
// the last column is broken into lines where it would pass the edge.
type table struct {
	header []string
	rows   [][]string
	right  []bool
}

const (
	gutter  = 2  // spaces between columns
	minLast = 16 // a last column narrower than this is not worth breaking
)

func newTable(header ...string) *table {
	right := make([]bool, len(header))
	for i := range right {
		right[i] = true
	}
	return &table{header: header, right: right}
}

// Row adds a row; missing cells stay empty, cells without a column are left out.
func (t *table) Row(cells ...any) {
	row := make([]string, len(t.header))
	for i, cell := range cells[:min(len(cells), len(row))] {
		row[i] = strings.ReplaceAll(fmt.Sprint(cell), "\n", " ")
		switch cell.(type) {
		case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64:
		default:
			t.right[i] = t.right[i] && row[i] == ""
		}
	}
	t.rows = append(t.rows, row)
}

// Len is the number of rows.
func (t *table) Len() int { return len(t.rows) }

// Render lays the table out for a terminal of so many columns; 0 means no limit.
func (t *table) Render(limit int) string {
	head := make([]string, len(t.header))
	for i, name := range t.header {
		head[i] = strings.ToUpper(name)
	}
	widths := t.widths(head)
	last := len(head) - 1
	indent := 0
	for _, w := range widths[:last] {
		indent += w + gutter
	}
	room := limit - indent
	var b strings.Builder
	for _, row := range append([][]string{head}, t.rows...) {
		lines := []string{row[last]}
		if limit > 0 && room >= minLast {
			lines = wrap(row[last], room)
		}
		for i, cell := range row[:last] {
			t.pad(&b, i, cell, widths[i])
			b.WriteString(strings.Repeat(" ", gutter))
		}
		if t.right[last] && len(lines) == 1 {
			t.pad(&b, last, lines[0], widths[last])
		} else {
			b.WriteString(strings.Join(lines, "\n"+strings.Repeat(" ", indent)))
		}
		trimmed := strings.TrimRight(b.String(), " ")
		b.Reset()
		b.WriteString(trimmed)
		b.WriteByte('\n')
	}
	return b.String()
}

func (t *table) widths(head []string) []int {
	widths := make([]int, len(head))
	for i := range head {
		widths[i] = utf8.RuneCountInString(head[i])
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	return widths
}

func (t *table) pad(b *strings.Builder, column int, cell string, width int) {
	space := strings.Repeat(" ", width-utf8.RuneCountInString(cell))
	if t.right[column] {
		b.WriteString(space + cell)
		return
	}
	b.WriteString(cell + space)
}

// wrap breaks text at spaces into lines of at most width characters; a longer word is cut.
func wrap(text string, width int) []string {
	lines := []string{""}
	used := 0
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if used > 0 && used+1+n > width {
			lines, used = append(lines, ""), 0
		}
		if used > 0 {
			lines[len(lines)-1] += " "
			used++
		}
		for n > width {
			runes := []rune(word)
			lines[len(lines)-1] += string(runes[:width])
			word, n = string(runes[width:]), n-width
			lines = append(lines, "")
		}
		lines[len(lines)-1] += word
		used += n
	}
	return lines
}
