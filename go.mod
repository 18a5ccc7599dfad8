module github.com/jotsmith/jotsmith

go 1.26

ignore node_modules
