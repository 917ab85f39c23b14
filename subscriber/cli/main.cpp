#include "subscriber/cli/commands.hpp"

int main(int argc, char** argv) { return lull::subscriber::run_program(argc, argv); }
