#include "broker/cli/commands.hpp"

int main(int argc, char** argv) { return lull::broker::run_program(argc, argv); }
