/* Stands for the program that an attacker drops: does nothing, and is in no image. */
int main(void) { return 0; }
