module github.com/jotsmith/jotsmith

go 1.26.0

ignore node_modules
