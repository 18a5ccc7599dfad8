package main

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A parameter is a field of a command that the command line gives: a flag, or
// with the tag arg an argument by its place. Its other tags are
//
//	name         where it is not the field's own
//	help         what it is for; ${default} stands for the tag of that name
//	placeholder  how the help writes its value
//	default      its value where nothing gives one
//	env          the environment variable that gives it
//	enum         all that it may be, separated by commas
//	sep          what stands between the values of a list; "none" is nothing
//	required     one must be given; of an xor group, one of them
//	optional     an argument need not be
//	xor, and     flags of one group: at most one is given, or all or none
//	hidden       neither help nor completion tells of it
type parameter struct {
	name   string
	cmd    *cobra.Command
	tag    reflect.StructTag
	field  reflect.Value
	enum   []string
	origin string // what gave the value, as 'config show' tells it; empty: it is the default
}

func (p *parameter) has(tag string) bool { _, ok := p.tag.Lookup(tag); return ok }
func (p *parameter) isList() bool        { return p.field.Kind() == reflect.Slice }

// Type is for the help; with Set and String it makes a flag of p.
func (p *parameter) Type() string {
	if p.field.Kind() == reflect.Bool {
		return "bool"
	}
	return p.tag.Get("placeholder")
}

// String is the value of a switch, which is all that the library asks for.
func (p *parameter) String() string {
	if p.field.Kind() == reflect.Bool {
		return strconv.FormatBool(p.field.Bool())
	}
	return ""
}

// Set takes what stands on the command line. A list grows with each time.
func (p *parameter) Set(text string) error {
	if name, isFlag := strings.CutPrefix(text, "--"); isFlag && !p.has("arg") && p.cmd.Flags().Lookup(name) != nil {
		return fmt.Errorf("%s needs a value, and %s is a flag", p.label(), text)
	}
	if p.origin != "" {
		return p.take(text)
	}
	return p.set(text, p.label())
}

// set puts a value in the place of the default.
func (p *parameter) set(text, origin string) error {
	p.origin = origin
	if p.isList() {
		p.field.SetZero()
	}
	return p.take(text)
}

func (p *parameter) take(text string) error {
	if !p.isList() {
		return p.read(p.field, text)
	}
	words := []string{text}
	switch sep := p.tag.Get("sep"); {
	case sep == " ":
		words = strings.Fields(text)
	case sep == "" && !p.has("arg"):
		words = strings.Split(text, ",")
	}
	for _, word := range words {
		one := reflect.New(p.field.Type().Elem()).Elem()
		if err := p.read(one, word); err != nil {
			return err
		}
		p.field.Set(reflect.Append(p.field, one))
	}
	return nil
}

// read makes the value of a field, or of one in its list, of text.
func (p *parameter) read(into reflect.Value, text string) error {
	if p.enum != nil && !slices.Contains(p.enum, text) {
		all := slices.DeleteFunc(slices.Clone(p.enum), func(s string) bool { return s == "" })
		return fmt.Errorf("%s must be one of %s, not %q", p.label(), strings.Join(all, ", "), text)
	}
	if into.Kind() == reflect.Pointer {
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	if u, ok := into.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := u.UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("%s: %w", p.label(), err)
		}
		return nil
	}
	var err error
	switch into.Kind() {
	case reflect.String:
		into.SetString(text)
	case reflect.Bool:
		var yes bool
		yes, err = strconv.ParseBool(strings.NewReplacer("yes", "true", "no", "false").Replace(text))
		into.SetBool(yes)
	case reflect.Int:
		var n int64
		n, err = strconv.ParseInt(text, 10, 64)
		into.SetInt(n)
	case reflect.Uint64:
		var n uint64
		n, err = strconv.ParseUint(text, 10, 64)
		into.SetUint(n)
	case reflect.Float64:
		var n float64
		n, err = strconv.ParseFloat(text, 64)
		into.SetFloat(n)
	default:
		panic("no flag can be a " + into.Type().String())
	}
	if err != nil {
		return fmt.Errorf("%s must be %s, not %q", p.label(), kinds[into.Kind()], text)
	}
	return nil
}

// kinds is what messages call a value.
var kinds = map[reflect.Kind]string{
	reflect.Bool: "true or false", reflect.Int: "a whole number", reflect.Uint64: "a whole number from 0 on", reflect.Float64: "a number",
}

func init() { cobra.EnableCommandSorting = false } // commands are listed as they are declared

// command makes a command of a struct: of its fields with the tag cmd the
// commands beneath, of the others, also those of embedded structs, parameters.
func (l *commandLine) command(name, help string, v reflect.Value) *cobra.Command {
	cmd := &cobra.Command{Use: name, Short: help}
	cmd.Flags().SortFlags = false
	target := v.Addr().Interface()
	if h, ok := target.(interface{ Help() string }); ok {
		cmd.Long = h.Help()
	}
	l.fields(cmd, v)
	flags, arguments := parameters(cmd), l.arguments[cmd]
	for _, p := range slices.Concat(flags, arguments) {
		if p.has("arg") || p.has("required") {
			cmd.Use += " " + p.written()
		}
	}
	cmd.Args = func(_ *cobra.Command, words []string) error { return misused(cmd, give(cmd, arguments, words)) }
	cmd.RunE = func(*cobra.Command, []string) error { return l.choose(cmd, target) }
	if cmd.HasSubCommands() {
		cmd.Use += " <command>"
		cmd.DisableFlagsInUseLine = true
		cmd.RunE = func(*cobra.Command, []string) error {
			var names []string
			for _, c := range cmd.Commands() {
				names = append(names, c.Name())
			}
			return misused(cmd, fmt.Errorf("expected one of %s", strings.Join(names, ", ")))
		}
	}
	return cmd
}

func (l *commandLine) fields(cmd *cobra.Command, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := kebab(f.Name)
		if given := f.Tag.Get("name"); given != "" {
			name = given
		}
		if _, ok := f.Tag.Lookup("cmd"); ok {
			cmd.AddCommand(l.command(name, f.Tag.Get("help"), v.Field(i)))
			continue
		}
		if f.Anonymous {
			l.fields(cmd, v.Field(i))
			continue
		}
		if !f.IsExported() {
			continue // for the command's own use
		}
		p := &parameter{name: name, cmd: cmd, tag: f.Tag, field: v.Field(i)}
		if p.has("enum") {
			p.enum = strings.Split(algorithmNames.Replace(f.Tag.Get("enum")), ",")
		}
		if first, ok := f.Tag.Lookup("default"); ok {
			if err := p.take(first); err != nil {
				panic(err)
			}
		}
		if p.has("arg") {
			l.arguments[cmd] = append(l.arguments[cmd], p)
			cmd.ValidArgs = append(cmd.ValidArgs, p.enum...)
			continue
		}
		p.addTo(cmd.Flags(), "")
	}
}

func (p *parameter) addTo(flags *pflag.FlagSet, short string) {
	f := flags.VarPF(p, p.name, short, p.help())
	f.Hidden = p.has("hidden")
	if p.Type() == "bool" {
		f.NoOptDefVal = "true"
	}
}

// algorithmNames are what enum may name.
var algorithmNames = strings.NewReplacer(
	"${algorithms}", algorithms(), "${encryption_algorithms}", encryptionAlgorithms(), "${content_encryptions}", contentEncryptions(),
)

// kebab writes SetTLSKey as set-tls-key.
func kebab(name string) string {
	var b strings.Builder
	lower := func(i int) bool { return i < len(name) && name[i] >= 'a' }
	for i := range len(name) {
		if i > 0 && !lower(i) && (lower(i-1) || lower(i+1)) {
			b.WriteByte('-')
		}
		b.WriteByte(name[i])
	}
	return strings.ToLower(b.String())
}

// parameters are the flags of a command, but for --help.
func parameters(cmd *cobra.Command) (all []*parameter) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if p, ok := f.Value.(*parameter); ok && p.name != "help" {
			all = append(all, p)
		}
	})
	return all
}
