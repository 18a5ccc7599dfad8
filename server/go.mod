module github.com/jotsmith/jotsmith/server

go 1.26

require github.com/jotsmith/jotsmith v0.0.0

replace github.com/jotsmith/jotsmith => ../
