package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTableLinesUpItsColumns(t *testing.T) {
	for name, c := range map[string]struct {
		header []string
		rows   [][]any
		limit  int
		want   string
	}{
		"text left, numbers right": {
			header: []string{"daemon", "events"},
			rows:   [][]any{{"a", 7}, {"longer", 1200}},
			want:   "DAEMON  EVENTS\na            7\nlonger    1200\n",
		},
		"no rows": {
			header: []string{"tag", "value"},
			want:   "TAG  VALUE\n",
		},
		"missing cells stay empty": {
			header: []string{"a", "b", "c"},
			rows:   [][]any{{"x"}},
			want:   "A  B  C\nx\n",
		},
		"width counts characters, not bytes": {
			header: []string{"unit", "note"},
			rows:   [][]any{{"°C", "warm"}, {"mV", "low"}},
			want:   "UNIT  NOTE\n°C    warm\nmV    low\n",
		},
		"the last column is broken at the edge of the terminal": {
			header: []string{"k", "why"},
			rows:   [][]any{{"a", "one two three four five"}},
			limit:  20,
			want:   "K  WHY\na  one two three\n   four five\n",
		},
		"a long word is cut": {
			header: []string{"k", "why"},
			rows:   [][]any{{"a", strings.Repeat("x", 20)}},
			limit:  19,
			want:   "K  WHY\na  " + strings.Repeat("x", 16) + "\n   xxxx\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			table := newTable(c.header...)
			for _, row := range c.rows {
				table.Row(row...)
			}
			if diff := cmp.Diff(c.want, table.Render(c.limit)); diff != "" {
				t.Errorf("table differs (-want +got):\n%s", diff)
			}
		})
	}
}
