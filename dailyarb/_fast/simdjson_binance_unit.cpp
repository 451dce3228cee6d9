// A unit of its own: extensions build in parallel and must not share an object file.
#include "simdjson.cpp"
