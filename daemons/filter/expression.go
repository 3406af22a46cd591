package filter

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"github.com/edge-agent/edge-agent/mesh"
)

const (
	maxExpression = 1024    // bytes
	maxNodes      = 256     // of the parsed expression
	memoryBudget  = 100_000 // elements that one evaluation may create
)

// input is what an expression sees.
type input struct {
	Value  any    `expr:"value"`
	Topic  string `expr:"topic"`
	Source string `expr:"source"`
}

// builtins are the functions that give the same for the same input and no more than their input allows.
var builtins = [...]string{
	"all", "none", "any", "one", "filter", "map", "find", "findIndex", "count", "sum", "len", "type", "abs", "ceil",
	"floor", "round", "int", "float", "trim", "upper", "lower", "split", "hasPrefix", "hasSuffix", "indexOf", "max",
	"min", "mean", "median", "first", "last", "get", "take",
}

// expression is a compiled one, for one user at a time.
type expression struct {
	program *vm.Program
	machine vm.VM
}

func parse(text string) (*expression, error) {
	if len(text) > maxExpression {
		return nil, fmt.Errorf("expression of %d bytes, above %d", len(text), maxExpression)
	}
	check := &checker{}
	options := []expr.Option{
		expr.Env(&input{}), expr.MaxNodes(maxNodes), expr.DisableAllBuiltins(), expr.Patch(check),
	}
	for _, name := range builtins {
		options = append(options, expr.EnableBuiltin(name))
	}
	program, err := expr.Compile(text, options...)
	switch {
	case check.refused != "":
		return nil, fmt.Errorf("%s", check.refused)
	case err != nil:
		return nil, fmt.Errorf("%s", oneLine(err))
	}
	return &expression{program: program, machine: vm.VM{MemoryBudget: memoryBudget}}, nil
}

func (e *expression) eval(in *input) (any, error) {
	value, err := e.machine.Run(e.program, in)
	if err != nil {
		return nil, fmt.Errorf("%s", oneLine(err))
	}
	return value, nil
}

// oneLine leaves out the drawing of the place below an error of the library.
func oneLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return strings.ToValidUTF8(text[:min(len(text), 200)], "")
}

// checker refuses the parts of the language whose cost or result the input does not bound.
type checker struct{ refused string }

func (c *checker) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.VariableDeclaratorNode, *ast.SequenceNode:
		c.refuse("variables and sequences are not allowed")
	case *ast.BuiltinNode:
		if !slices.Contains(builtins[:], n.Name) { // those that take a predicate cannot be disabled
			c.refuse("unknown name " + n.Name)
		}
	case *ast.BinaryNode:
		_, constant := n.Right.(*ast.StringNode)
		switch {
		case n.Operator == "..":
			c.refuse("ranges are not allowed")
		case n.Operator == "matches" && !constant:
			c.refuse("the pattern of matches must be a constant text")
		}
	case *ast.PredicateNode:
		inner := ast.Find(n.Node, func(inner ast.Node) bool {
			_, ok := inner.(*ast.PredicateNode)
			return ok
		})
		if inner != nil {
			c.refuse("a loop within a loop is not allowed")
		}
	}
}

func (c *checker) refuse(reason string) {
	if c.refused == "" {
		c.refused = reason
	}
}

// appendJSON adds a value as JSON to b, with the keys of objects in order, and stops past what an output may hold.
func appendJSON(b []byte, value any) ([]byte, error) {
	if len(b) > mesh.MaxPayload {
		return b, fmt.Errorf("result above %d bytes: %w", mesh.MaxPayload, mesh.ErrTooLarge)
	}
	switch v := value.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return b, fmt.Errorf("the result is %v", v)
		}
		return mesh.AppendJSONNumber(b, v), nil
	case string:
		return mesh.AppendJSONText(b, v), nil
	case []any:
		return appendList(b, v)
	case []string:
		list := make([]any, len(v))
		for i := range v {
			list[i] = v[i]
		}
		return appendList(b, list)
	case map[string]any:
		return appendObject(b, v)
	}
	return b, fmt.Errorf("a result of the type %T is no JSON", value)
}

func appendList(b []byte, list []any) ([]byte, error) {
	b = append(b, '[')
	for i, value := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendJSON(b, value); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

func appendObject(b []byte, object map[string]any) ([]byte, error) {
	b = append(b, '{')
	for i, key := range slices.Sorted(maps.Keys(object)) {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendJSON(append(mesh.AppendJSONText(b, key), ':'), object[key]); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}
